"""Renders a table's results for the screen or as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from reidzoo.tables.statistics import MIN_SEEDS, coverage

__all__ = ["caption", "render"]


def render(
    results: Mapping[str, Any], form: str = "simple", variants: Sequence[str] = (), explained_in: str = ""
) -> str:
    """Return the table of ``collect``'s results, a block for each variant, that of the claims, and their caption.

    Args:
        results: what ``collect`` returned.
        form: ``"simple"`` for the screen, ``"pipe"`` for Markdown, where the rows that have not run are named in a line
            below, and claims about them are left out.
        variants: those to show whether or not they have values; the others appear if they have.
        explained_in: where intervals and verdicts are explained, as a link; empty explains them here.
    """
    shown = [name for name in results["variants"] if name in variants or _has_values(results, name)]
    blocks = [_bold(results["title"], form)]
    for variant in shown or results["variants"]:
        heading = [_bold(variant, form)] if variant else []
        short = form == "pipe" and _has_values(results, variant)
        absent = [row for row in results["rows"] if short and not _has_figures(row, variant)]
        blocks += [*heading, _rows_table(results, variant, form, absent)]
        if absent:
            blocks.append(f"Not run: {'; '.join(row['label'] for row in absent)}.")
    claims = [claim for claim in results["claims"] if claim["variant"] in (shown or results["variants"])]
    if claims := [claim for claim in claims if form != "pipe" or claim["values"] or not shown]:
        blocks.append(_claims_table(results, claims, form))
    if kept := "; ".join(_kept_epochs(results)):
        blocks.append(f"Epochs that early stopping kept, seed by seed: {kept}.")
    return "\n\n".join([*blocks, caption(results, explained_in)])


def caption(results: Mapping[str, Any], explained_in: str = "") -> str:
    """Return the text that says what the figures are and explains them, or names where they are explained."""
    done = {cell["done"] for row in results["rows"] for cell in row["variants"].values()}
    counts = sorted(done - {0}) or [len(results["seeds"])]
    data = "on rendered twins, not on the paper's data, " if results["twins"] else ""
    text = f"Ours: {data}in percent"
    if counts == [1]:
        return f"{text}, one seed: no interval, and no claim is decided."
    text += f", mean over {_span(counts)} seeds [95 % percentile bootstrap interval over seeds]"
    if not explained_in:
        return " ".join([f"{text}.", *_explanations(results, counts)])
    if results["claims"] and len(counts) > 1:
        text += "; a difference is that of the seeds which both rows have"
    return f"{text}. {explained_in}"


def _explanations(results: Mapping[str, Any], counts: Sequence[int]) -> Iterator[str]:
    """Yield what the intervals, the claims and their columns mean."""
    covered = _span(100 * coverage(count) for count in counts if count > 1)
    yield f"With so few seeds that is too narrow: it holds the true mean in about {covered} % of cases."
    if results["claims"]:
        mixed = ", over the seeds that both rows have, so that it may not be that of the means above"
        yield (
            f"The difference of a claim A < B is B - A, paired by seed{mixed if len(counts) > 1 else ''}; a claim "
            "holds if its interval is above 0, does not hold if it is below, and is undecided otherwise and with fewer "
            f"than {MIN_SEEDS} seeds."
        )
    if any(claim.get("needed") for claim in results["claims"]):
        yield "Seeds for it: so many would show the paper's difference with 80 % power, if seeds vary as these do."
    decided = {len(claim["values"]) for claim in results["claims"]}
    if by_chance := [50 * (1 - coverage(count)) for count in decided if count >= MIN_SEEDS]:
        yield f"Where there is no difference, about {_span(by_chance)} % of claims hold by chance."


def _span(numbers: Iterable[float]) -> str:
    """Return ``3``, or ``3 to 5`` from the least to the greatest."""
    ends = sorted({f"{number:.0f}" for number in numbers}, key=float)
    return " to ".join(dict.fromkeys([ends[0], ends[-1]]))


def _has_values(results: Mapping[str, Any], variant: str) -> bool:
    return any(row["variants"][variant]["done"] for row in results["rows"])


def _has_figures(row: Mapping[str, Any], variant: str) -> bool:
    return bool(row["gap"] or row["variants"][variant]["done"])


def _rows_table(results: Mapping[str, Any], variant: str, form: str, absent: Sequence[Mapping[str, Any]]) -> str:
    rows = [(row, row["variants"][variant]) for row in results["rows"] if row not in absent]
    in_paper = [metric for metric in results["metrics"] if any(metric in cell["paper"] for _, cell in rows)]
    head = [""]
    for metric in results["metrics"]:
        head += [metric, "paper"] if metric in in_paper else [metric]
    lines = []
    for row, cell in rows:
        line = [f"{row['label']} (not run: {row['gap']})" if row["gap"] else row["label"]]
        for metric in results["metrics"]:
            line.append(_figure(cell["metrics"][metric]))
            if metric in in_paper:
                line.append(f"{cell['paper'][metric]:.1f}" if metric in cell["paper"] else "-")
        done, total = cell["done"], len(results["seeds"])
        lines.append([*line, "" if row["gap"] else str(done) if done == total else f"{done} of {total}"])
    return _tabulate(lines, [*head, "seeds"], form)


def _claims_table(results: Mapping[str, Any], claims: Sequence[Mapping[str, Any]], form: str) -> str:
    labels = {row["name"]: row["label"] for row in results["rows"]}
    lines, with_needed = [], any(claim.get("needed") for claim in claims)  # older results lack it
    for claim in claims:
        what = f"{labels[claim['worse']]} < {labels[claim['better']]}"
        where = ", ".join(filter(None, [claim["metric"], claim["variant"]]))
        paper = "-" if claim["paper"] is None else f"{claim['paper']:+.1f}"
        outcome = claim["verdict"] if claim["values"] else "-"
        needed = [str(claim.get("needed") or "-")] if with_needed else []
        lines.append([what, where, _figure(claim, "+"), paper, *needed, outcome])
    needed = ["seeds for it"] if with_needed else []
    return _tabulate(lines, ["claim", "in", "difference", "paper", *needed, "verdict"], form)


def _kept_epochs(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the epochs of each stage that was stopped early, the seeds at which it trained nothing, and its rows."""
    rows: dict[str, list[str]] = {}
    ran = 0
    for row in results["rows"]:
        for variant, cell in row["variants"].items():
            ran += bool(cell["done"])
            for stage, stop in cell.get("stops", {}).items():
                epochs = ", ".join(str(epoch) for epoch in stop["kept_epoch"].values())
                same = [seed for seed, untrained in stop["untrained"].items() if untrained]
                note = f" (its model is that of the stage before at seed {', '.join(same)})" if same else ""
                rows.setdefault(f"{stage} {epochs}{note}", []).append(f"{row['label']} {variant}".strip())
    for text, labels in rows.items():
        yield text if len(labels) == ran else f"{text} in {' / '.join(labels)}"  # what all rows share needs no names


def _tabulate(lines: Sequence[Sequence[str]], head: Sequence[str], form: str) -> str:
    if form == "pipe":
        lines = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return tabulate(lines, head, tablefmt=form, disable_numparse=True)


def _figure(summary: Mapping[str, Any], sign: str = "") -> str:
    """Return ``41.2 [40.5, 41.9]``, or "-" without values."""
    if summary["mean"] is None:
        return "-"
    mean = f"{summary['mean']:{sign}.1f}"
    if summary["interval"] is None:
        return mean
    low, high = (f"{end:{sign}.1f}" for end in summary["interval"])
    return f"{mean} [{low}, {high}]"


def _bold(text: str, form: str) -> str:
    return f"**{text}**" if form == "pipe" else text
