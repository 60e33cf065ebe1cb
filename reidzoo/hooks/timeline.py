"""A plot of an alternation over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from reidzoo.visualization import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_timeline", "timeline_plot"]

COLOURS = 7
"""``C0`` to ``C6`` of the figures' style."""


def timeline_plot(record: Mapping[str, Any]) -> str:
    """Return an SVG of the measures over the steps, the phases as coloured bands, and the thresholds dashed.

    Args:
        record: what ``alternation.json`` holds.
    """
    lines = [
        f"step {point['iter']}, action {point['number']}, after {point['phase'] or 'the start'}: "
        + ", ".join(f"{name} {value:.3f}" for name, value in point["measured"].items())
        for point in record["timeline"]
    ]
    return svg_text(partial(draw_timeline, record=record), "Alternation", "\n".join(lines), 360)


def draw_timeline(figure: Figure, record: Mapping[str, Any]) -> None:
    """Draw the record of an alternation on a matplotlib figure."""
    timeline, switches = record["timeline"], record["switches"]
    steps = [point["iter"] for point in timeline]
    axes = figure.subplots()
    axes.set(xlabel="steps", ylabel="on held-out images", xlim=(0, max(steps[-1], 1)))
    measures = list(timeline[0]["measured"])
    phases = list(dict.fromkeys(point["phase"] for point in timeline[1:]))
    for before, point in pairwise(timeline):
        number = phases.index(point["phase"])
        style: dict[str, Any] = {  # hatched, too: pale green and red are one colour to many
            "facecolor": f"C{(len(measures) + number) % COLOURS}", "hatch": ("", "///", "...")[number % 3],
            "edgecolor": "black", "linewidth": 0, "alpha": 0.3,
        }  # fmt: skip
        axes.axvspan(before["iter"], point["iter"], label=f"phase: {point['phase']}", **style)
    ends = [*(switch["iter"] for switch in switches[1:]), steps[-1]]
    for number, measure in enumerate(measures):
        colour = f"C{number % COLOURS}"
        for name in dict.fromkeys(name for switch in switches for name in switch["thresholds"]):
            if name.endswith(f"_{measure}"):
                pieces = [(s["iter"], end, s["thresholds"].get(name)) for s, end in zip(switches, ends)]
                xs = [x for begin, end, _ in pieces for x in (begin, end)]
                ys = [float("nan") if value is None else value for *_, value in pieces for _ in range(2)]
                axes.plot(xs, ys, "--", color=colour, label=name.replace("_", ", "))
        values = [point["measured"][measure] for point in timeline]
        axes.plot(steps, values, "o-", color=colour, label=measure, clip_on=False)
