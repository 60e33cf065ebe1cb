"""Draws tables as SVG: the values of a sweep, our means with intervals and the paper's figures; rows as CMC curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from reidzoo.visualization import COLOURS, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["cmc_plot", "draw_cmc", "draw_sweep", "ranks", "sweep_plot"]

_LEGEND_LINE = 18
"""Height of a line of a legend, in pixels; the names of rows are long, so that each has a line."""

_Curve = tuple[str, dict[int, float], dict[int, float]]
"""A row's name, our means and the paper's figures by rank."""

_ASIDE = 0.12
"""Horizontal distance of the variants at one value, so that their intervals do not overlap."""


def sweep_plot(results: Mapping[str, Any], name: str) -> str:
    """Return the SVG of one sweep of a table's results, as ``report.collect`` gives them."""
    draw = partial(draw_sweep, results=results, name=name)
    return svg_text(draw, results["title"], "\n".join(_describe(results, name)))


def draw_sweep(figure: Figure, results: Mapping[str, Any], name: str) -> None:
    """Draw one sweep on a matplotlib figure."""
    values, variants = list(results["sweeps"][name]["rows"]), results["variants"]
    panels = figure.subplots(1, len(results["metrics"]), squeeze=False)[0]
    for axes, metric in zip(panels, results["metrics"]):
        for number, variant in enumerate(variants):
            aside = _ASIDE * (number - (len(variants) - 1) / 2)
            figures = {x + aside: row[variant] for x, row in enumerate(_sweep_rows(results, name))}
            _draw_variant(axes, figures, metric, f"C{number}", variant)
        axes.set(xlabel=results["sweeps"][name]["label"], ylabel=f"{metric}, %", xlim=(-0.5, len(values) - 0.5))
        axes.set_xticks(range(len(values)), values)


def _draw_variant(axes: Axes, figures: Mapping[float, Mapping[str, Any]], metric: str, colour: str, name: str) -> None:
    """Draw our figures as dots with bars, the paper's as dashed rings."""
    ours = {x: row["metrics"][metric] for x, row in figures.items() if row["metrics"][metric]["mean"] is not None}
    paper = {x: row["paper"][metric] for x, row in figures.items() if metric in row["paper"]}
    for x, summary in ours.items():
        if summary["interval"]:
            axes.plot((x, x), summary["interval"], "_-", color=colour, linewidth=1)
    if ours:
        axes.plot(list(ours), [summary["mean"] for summary in ours.values()], "o-", color=colour, label=name or "ours")
    if paper:
        label = f"{name}, paper, on real data" if name else "paper, on real data"
        axes.plot(list(paper), list(paper.values()), "o--", color=colour, label=label, markerfacecolor="white")


def _describe(results: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the figures of the picture as text, a line for each value, variant and metric."""
    sweep = results["sweeps"][name]
    for value, row in zip(sweep["rows"], _sweep_rows(results, name)):
        for variant, figures in row.items():
            for metric in results["metrics"]:
                ours, paper = figures["metrics"][metric], figures["paper"].get(metric)
                mean = "not run" if ours["mean"] is None else f"{ours['mean']:.1f} %"
                interval = " [{:.1f}, {:.1f}]".format(*ours["interval"]) if ours["interval"] else ""
                theirs = "" if paper is None else f"; paper {paper:.1f} %"
                yield f"{sweep['label']} = {value}: {variant or 'ours'}, {metric} {mean}{interval}{theirs}"


def _sweep_rows(results: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the variants of the sweep's rows, in its order."""
    rows = {row["name"]: row["variants"] for row in results["rows"]}
    return [rows[row] for row in results["sweeps"][name]["rows"].values()]


def ranks(results: Mapping[str, Any]) -> list[int]:
    """Return the k of a table's metrics ``rank-k``, in ascending order."""
    return sorted(int(metric.removeprefix("rank-")) for metric in results["metrics"] if metric.startswith("rank-"))


def cmc_plot(results: Mapping[str, Any]) -> str:
    """Return the SVG of the rows' CMC curves through the table's metrics ``rank-k``.

    Of more rows of one data set than there are colours those are drawn that the paper has, or else the first ones.
    """
    draw = partial(draw_cmc, results=results)
    lines = []
    for target, rows in _rows_by_target(results).items():
        for name, points, paper in rows:
            text = ", ".join(f"rank-{k} {value:.1f} %" for k, value in points.items())
            theirs = ", ".join(f"rank-{k} {value:.1f} %" for k, value in paper.items())
            lines.append(f"{target}: {name}: {text}{f'; paper {theirs}' if theirs else ''}")
    return svg_text(draw, f"{results['title']}: CMC", "\n".join(lines), height=260 + _LEGEND_LINE * (len(lines) + 1))


def draw_cmc(figure: Figure, results: Mapping[str, Any]) -> None:
    """Draw a panel for each data set: our rows' means as lines, the paper's figures dashed in the same colour."""
    targets = _rows_by_target(results)
    panels = figure.subplots(1, max(len(targets), 1), squeeze=False)[0]
    for axes, (target, rows) in zip(panels, targets.items()):
        for number, (name, points, paper) in enumerate(rows):
            axes.plot(list(points), list(points.values()), "o-", color=f"C{number}", label=name)
            if paper:
                axes.plot(list(paper), list(paper.values()), "o--", color=f"C{number}", markerfacecolor="white")
        lowest = min(min([*points.values(), *paper.values()]) for _, points, paper in rows)
        axes.set(title=target, xlabel="rank", ylabel="matched, %", ylim=(lowest // 10 * 10, 100))
        axes.set_xticks(ranks(results))
    if any(paper for rows in targets.values() for _, _, paper in rows):
        label = "dashed, in a row's colour: the paper, on real data"
        panels[-1].plot([], [], "o--", color="#777777", markerfacecolor="white", label=label)


def _rows_by_target(results: Mapping[str, Any]) -> dict[str, list[_Curve]]:
    """Return what a row was tested on -> the names, our means and the paper's figures of the rows that have values."""
    targets: dict[str, list[_Curve]] = {}
    for row in results["rows"]:
        for variant, cell in row["variants"].items():
            means = {k: cell["metrics"][f"rank-{k}"]["mean"] for k in ranks(results)}
            points = {k: mean for k, mean in means.items() if mean is not None}
            paper = {k: cell["paper"][f"rank-{k}"] for k in ranks(results) if f"rank-{k}" in cell["paper"]}
            if points:
                name = f"{row['label']} {variant}".strip()
                targets.setdefault(row["tested_on"], []).append((name, points, paper))
    return {target: _told_apart(rows) for target, rows in targets.items()}


def _told_apart(rows: list[_Curve]) -> list[_Curve]:
    """Return as many rows as have a colour each: if there are more, those of the paper, or else the first ones."""
    if len(rows) <= len(COLOURS):
        return rows
    return [row for row in rows if row[2]][: len(COLOURS)] or rows[: len(COLOURS)]
