"""Draws a sweep: our mean with its interval at each value, and the paper's figures, a panel for each metric, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.visualization.svg_plot import COLOURS, SVGPlot, side_by_side

__all__ = ["sweep_plot"]

_SIZE = (400, 320)
_ASIDE = 0.12
"""How far the variants stand apart at one value, so that their intervals do not cover one another."""


def sweep_plot(results: Mapping[str, Any], name: str) -> str:
    """Return the SVG of one sweep of a table's results, as ``report.collect`` gives them."""
    sweep = results["sweeps"][name]
    rows = {row["name"]: row for row in results["rows"]}
    swept = [rows[row]["variants"] for row in sweep["rows"].values()]
    panels = [_panel(sweep, results["variants"], swept, metric) for metric in results["metrics"]]
    return side_by_side(results["title"], panels)


def _panel(
    sweep: Mapping[str, Any], variants: Sequence[str], swept: Sequence[Mapping[str, Any]], metric: str
) -> SVGPlot:
    values = list(sweep["rows"])
    ends = [end for row in swept for found in row.values() for end in _ends(found, metric)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    margin = 0.05 * (high - low)
    ranges = (-0.5, len(values) - 0.5), (low - margin, high + margin)
    plot = SVGPlot("", sweep["label"], f"{metric}, %", *ranges, _SIZE, values)
    for number, (variant, colour) in enumerate(zip(variants, COLOURS * len(variants))):
        aside = _ASIDE * (number - (len(variants) - 1) / 2)
        found = {x + aside: row[variant] for x, row in enumerate(swept)}
        _draw_ours(plot, {x: row["metrics"][metric] for x, row in found.items()}, colour, variant or "ours")
        paper = {x: row["paper"][metric] for x, row in found.items() if metric in row["paper"]}
        _draw_curve(plot, paper, colour, f"{variant}, paper" if variant else "paper", dashed=True)
    return plot


def _ends(found: Mapping[str, Any], metric: str) -> list[float]:
    """Return what has to be in the plot of a value: our mean, its interval's ends and the paper's figure."""
    summary = found["metrics"][metric]
    given = (summary["mean"], *(summary["interval"] or ()), found["paper"].get(metric))
    return [end for end in given if end is not None]


def _draw_ours(plot: SVGPlot, summaries: Mapping[float, Mapping[str, Any]], colour: str, label: str) -> None:
    for x, summary in summaries.items():
        if summary["interval"]:
            plot.interval(x, *summary["interval"], colour)
    means = {x: summary["mean"] for x, summary in summaries.items() if summary["mean"] is not None}
    _draw_curve(plot, means, colour, label)


def _draw_curve(plot: SVGPlot, points: Mapping[float, float], colour: str, label: str, dashed: bool = False) -> None:
    if len(points) > 1:
        plot.line(list(points), list(points.values()), colour, label, dashed)
    for x, y in points.items():
        plot.point(x, y, colour, label, tip=f"{label}: {y:.1f} %", hollow=dashed)
