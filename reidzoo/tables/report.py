"""Collects a table's results as one plain dict, and renders it for the screen or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from reidzoo.errors import UserError
from reidzoo.runs.environment import environment
from reidzoo.tables.spec import Claim, Row, Table
from reidzoo.tables.statistics import MIN_SEEDS, coverage, interval, seeds_needed, verdict
from reidzoo.tables.units import Plan, Unit

__all__ = ["collect", "render"]

_TWIN = " twin"


def collect(table: Table, plan: Plan, seeds: Sequence[int], command: str, profile: str = "") -> dict[str, Any]:
    """Return the results of a table from the units that are done: figures in percent.

    Args:
        table: the table.
        plan: its units.
        seeds: the seeds to show.
        command: what runs the table.
        profile: the profile that the rows were run with, for the title.

    Returns:
        ``title``, ``metrics``, ``seeds``, ``variants``, ``twins`` (whether a dataset is a rendered twin), ``rows``
        (``name``, ``label``, ``gap``, ``tested_on``, and per variant ``done`` (how many seeds), ``paper``, and per
        metric ``values`` by seed, ``mean``, ``interval``; and ``stops``, stage -> ``kept_epoch`` and ``untrained`` by
        seed, where training was stopped early), ``claims`` (``values``: better - worse by seed, their ``mean`` and
        ``interval``, the ``paper``'s difference, how many seeds are ``needed`` to see that, ``verdict``), ``sweeps``
        (name -> ``label`` and, by value, the names of its ``rows``), ``environment``.

    Raises:
        UserError: a unit was not tested on its row's TARGET.
    """
    rows = {name: _row(table, row, plan, seeds) for name, row in table.rows.items()}
    done = [unit for unit in plan.units.values() if unit.done]
    return {
        "title": f"{table.title} (profile {profile})" if profile else table.title,
        "metrics": list(table.metrics),
        "seeds": list(seeds),
        "variants": plan.variants,
        "twins": any(row["tested_on"].endswith(_TWIN) for row in rows.values()),
        "rows": list(rows.values()),
        "claims": [
            _claim(claim, variant, rows)
            for claim in table.claims
            for variant in claim.variants
            if variant in plan.variants
        ],
        "sweeps": {name: {"label": sweep.label, "rows": dict(sweep.rows)} for name, sweep in table.sweeps.items()},
        "environment": {
            **environment(),
            "command": command,
            "commits": sorted({unit.environment("commit") for unit in done}),
            "torch": ", ".join(sorted({unit.environment("torch") for unit in done})) or environment()["torch"],
            "run_threads": sorted({unit.environment("threads") for unit in done}),
            "units": len(done),
            "seconds": round(sum(unit.seconds for unit in done)),
        },
    }


def _row(table: Table, row: Row, plan: Plan, seeds: Sequence[int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name, "label": row.label, "gap": row.gap, "tested_on": "", "variants": {}}
    for variant in plan.variants:
        values: dict[str, dict[str, float]] = {metric: {} for metric in table.metrics}
        stops: dict[str, dict[str, dict[str, float]]] = {}
        done = 0
        for seed in seeds if not row.gap else ():
            unit = plan.units[plan.results[variant, row.name, seed]]
            if not unit.done:
                continue
            done += 1
            _add_stops(stops, plan, unit, str(seed))
            results = unit.results()
            entry["tested_on"], figures = _target(row, results)
            for metric in table.metrics:
                figure = _look_up(metric, figures, results)
                if figure is not None:
                    values[metric][str(seed)] = 100 * figure
        entry["variants"][variant] = {
            "done": done,
            "paper": dict(row.paper.get(variant, {})),
            "metrics": {metric: _summary(by_seed) for metric, by_seed in values.items()},
            **({"stops": stops} if stops else {}),
        }
    return entry


def _add_stops(stops: dict[str, dict[str, dict[str, float]]], plan: Plan, unit: Unit, seed: str) -> None:
    """Add the epochs that early stopping kept in a unit and in those it needs: stage -> ``kept_epoch``, ... -> seed."""
    for needed in unit.needs:
        _add_stops(stops, plan, plan.units[needed], seed)
    validation = unit.results().get("validation", {}) if unit.files.results.exists() else {}
    for figure in ("kept_epoch", "untrained"):
        if figure in validation:
            stops.setdefault(unit.stage, {}).setdefault(figure, {})[seed] = validation[figure]


def _target(row: Row, results: Mapping[str, Mapping[str, float]]) -> tuple[str, Mapping[str, float]]:
    """Return the results on the row's target, whose key is followed by "twin" where it is rendered."""
    for name, figures in results.items():
        if name in (row.target, row.target + _TWIN):
            return name, figures
    raise UserError(f"{row.where}: TARGET {row.target}: tested on {', '.join(results) or 'nothing'} only")


def _look_up(metric: str, figures: Mapping[str, float], results: Mapping[str, Any]) -> float | None:
    """Return a figure of the target, or ``probe/domain_accuracy`` and the like; a stage need not have it."""
    entry, _, key = metric.rpartition("/")
    return results.get(entry, {}).get(key) if entry else figures.get(metric)


def _summary(by_seed: Mapping[str, float]) -> dict[str, Any]:
    values = list(by_seed.values())
    mean = sum(values) / len(values) if values else None
    bounds = interval(values)
    return {"values": dict(by_seed), "mean": mean, "interval": bounds and list(bounds)}


def _claim(claim: Claim, variant: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    worse, better = (rows[name]["variants"][variant] for name in (claim.worse, claim.better))
    by_seed = [side["metrics"][claim.metric]["values"] for side in (worse, better)]
    differences = {seed: by_seed[1][seed] - by_seed[0][seed] for seed in by_seed[0] if seed in by_seed[1]}
    papers = [side["paper"].get(claim.metric) for side in (worse, better)]
    paper = papers[1] - papers[0] if None not in papers else None
    return {
        "worse": claim.worse,
        "better": claim.better,
        "metric": claim.metric,
        "variant": variant,
        **_summary(differences),
        "paper": paper,
        "needed": seeds_needed(list(differences.values()), paper or 0.0),
        "verdict": verdict(list(differences.values())),
    }


# ---- tables --------------------------------------------------------------------------------------------------------


def render(results: Mapping[str, Any], form: str = "simple", variants: Sequence[str] = ()) -> str:
    """Return the table of ``collect``'s results, a block for each variant, and that of the claims.

    Args:
        results: what ``collect`` returned.
        form: ``"simple"`` for the screen, ``"pipe"`` for Markdown.
        variants: those to show whether or not they have values; the others appear if they have.
    """
    shown = [name for name in results["variants"] if name in variants or _has_values(results, name)]
    blocks = [_bold(results["title"], form)]
    for variant in shown or results["variants"]:
        heading = [_bold(variant, form)] if variant else []
        blocks += [*heading, _rows_table(results, variant, form)]
    claims = [claim for claim in results["claims"] if claim["variant"] in (shown or results["variants"])]
    if claims:
        blocks.append(_claims_table(results, claims, form))
    if kept := "; ".join(_kept_epochs(results)):
        blocks.append(f"Epochs that early stopping kept, seed by seed: {kept}.")
    return "\n\n".join([*blocks, caption(results)])


def caption(results: Mapping[str, Any]) -> str:
    """Return the text that explains the figures."""
    count = len(results["seeds"])
    data = "on rendered twins, not on the paper's data, " if results["twins"] else ""
    text = f"Ours: {data}in percent"
    if count == 1:
        return f"{text}, one seed: no interval, and no claim is decided."
    covered = coverage(count)
    text += f", mean over {count} seeds [95 % percentile bootstrap interval over seeds]."
    text += f" With so few seeds that is too narrow: it holds the true mean in about {100 * covered:.0f} % of cases."
    if results["claims"]:
        text += " Differences are paired by seed; a claim holds if their interval is above 0, does not hold if it is"
        text += f" below, and is undecided otherwise and with fewer than {MIN_SEEDS} seeds."
    if any(claim.get("needed") for claim in results["claims"]):
        text += " Seeds for it: so many would show the paper's difference with 80 % power, if seeds vary as these do."
    if results["claims"] and count >= MIN_SEEDS:
        text += f" Where there is no difference, about {50 * (1 - covered):.0f} % of claims hold by chance."
    return text


def _has_values(results: Mapping[str, Any], variant: str) -> bool:
    return any(row["variants"][variant]["done"] for row in results["rows"])


def _rows_table(results: Mapping[str, Any], variant: str, form: str) -> str:
    rows = [(row, row["variants"][variant]) for row in results["rows"]]
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
    for row in results["rows"]:
        for variant, cell in row["variants"].items():
            for stage, stop in cell.get("stops", {}).items():
                epochs = ", ".join(str(epoch) for epoch in stop["kept_epoch"].values())
                same = [seed for seed, untrained in stop["untrained"].items() if untrained]
                note = f" (its model is that of the stage before at seed {', '.join(same)})" if same else ""
                rows.setdefault(f"{stage} {epochs}{note}", []).append(f"{row['label']} {variant}".strip())
    for text, labels in rows.items():
        yield text if len(rows) == 1 else f"{text} in {' / '.join(labels)}"


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
