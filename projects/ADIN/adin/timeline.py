"""A plot of the alternation over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from reidzoo.visualization import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_timeline", "timeline_plot"]

PHASES = {
    "model": ("identities (rescue)", "C2", "///"),
    "penalty": ("penalty", "C1", ""),
    "nuisance": ("nuisance classifier", "C5", ""),
    "head": ("identity classifier", "C4", ""),
}
"""Phase -> label, colour and hatching of its band; without the hatching pale green and red are one colour to many."""


def timeline_plot(record: Mapping[str, Any]) -> str:
    """Return an SVG of the accuracies over the steps, the phases as coloured bands, and the thresholds dashed.

    Args:
        record: what ``alternation.json`` holds.
    """
    lines = [
        f"step {point['iter']}, round {point['round']}, after {point['phase'] or 'pre-training'}: "
        f"identity {100 * point['identity']:.1f} %, nuisance {100 * point['nuisance']:.1f} %"
        for point in record["timeline"]
    ]
    return svg_text(partial(draw_timeline, record=record), "Alternation", "\n".join(lines), 360)


def draw_timeline(figure: Figure, record: Mapping[str, Any]) -> None:
    """Draw the record of an alternation on a matplotlib figure."""
    timeline, switches = record["timeline"], record["switches"]
    steps = [point["iter"] for point in timeline]
    axes = figure.subplots()
    axes.set(xlabel="steps", ylabel="accuracy on held-out images, %", xlim=(0, max(steps[-1], 1)), ylim=(0, 100))
    for before, point in pairwise(timeline):
        label, colour, hatch = PHASES[point["phase"]]
        style: dict[str, Any] = {
            "facecolor": colour, "hatch": hatch, "edgecolor": "black", "linewidth": 0, "alpha": 0.3,
        }  # fmt: skip
        axes.axvspan(before["iter"], point["iter"], label=label, **style)
    ends = [*(switch["iter"] for switch in switches[1:]), steps[-1]]
    for key, colour in (("identity", "C0"), ("nuisance", "C3")):
        xs = [x for switch, end in zip(switches, ends) for x in (switch["iter"], end)]
        ys = [100 * switch[f"trigger_{key}"] for switch in switches for _ in range(2)]
        axes.plot(xs, ys, "--", color=colour, label=f"trigger, {key}")
        axes.plot(steps, [100 * point[key] for point in timeline], "o-", color=colour, label=key, clip_on=False)
