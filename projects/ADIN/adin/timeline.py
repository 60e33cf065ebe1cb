"""A picture of the alternation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from reidzoo.visualization import SVGPlot
from reidzoo.visualization.svg_plot import COLOURS

__all__ = ["draw_timeline"]

PHASES = {
    "model": ("identities (rescue)", COLOURS[2]),
    "penalty": ("penalty", COLOURS[1]),
    "nuisance": ("nuisance classifier", COLOURS[5]),
    "head": ("identity classifier", COLOURS[4]),
}


def draw_timeline(record: Mapping[str, Any]) -> str:
    """Return an SVG of the accuracies over the steps, the phases as coloured bands, and the thresholds dashed.

    Args:
        record: what ``alternation.json`` holds.
    """
    timeline, switches = record["timeline"], record["switches"]
    steps = [point["iter"] for point in timeline]
    plot = SVGPlot(
        "Alternation", "steps", "accuracy on held-out images, %", (0, max(steps[-1], 1)), (0, 100), (960, 400)
    )
    for before, point in pairwise(timeline):
        label, colour = PHASES[point["phase"]]
        plot.band(before["iter"], point["iter"], colour, label)
    ends = [*(switch["iter"] for switch in switches[1:]), steps[-1]]
    for key, colour, of in (("identity", COLOURS[0], "identity"), ("nuisance", COLOURS[3], "nuisance")):
        xs = [x for switch, end in zip(switches, ends) for x in (switch["iter"], end)]
        ys = [y for switch in switches for y in [100 * switch[f"trigger_{of}"]] * 2]
        plot.line(xs, ys, colour, f"trigger, {key}", dashed=True)
        plot.line(steps, [100 * point[key] for point in timeline], colour, key)
        for point in timeline:
            plot.point(point["iter"], 100 * point[key], colour, tip=_tip(point, key))
    return plot.render()


def _tip(point: Mapping[str, Any], key: str) -> str:
    return f"round {point['round']}, after {point['phase'] or 'pre-training'}: {key} {100 * point[key]:.1f} %"
