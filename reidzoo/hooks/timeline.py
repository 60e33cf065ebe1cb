"""A plot of an alternation over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from reidzoo.visualization import WIDTH, colour_of, mark_phases, svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_timeline", "timeline_plot"]


def timeline_plot(record: Mapping[str, Any], begin: float = 0, phases: Iterable[str] = ()) -> str:
    """Return an SVG of the measures over the epochs, the phases as coloured bands, and the thresholds dashed.

    Args:
        record: what ``alternation.json`` holds.
        begin: the epochs of the stages before it.
        phases: names of phases whose tints other pictures of a page have, in their order.
    """
    lines = [
        f"step {point['iter']}, action {point['number']}, after {point['phase'] or 'the start'}: "
        + ", ".join(f"{name} {value:.3f}" for name, value in point["measured"].items())
        for point in record["timeline"]
    ]
    lines += [
        f"thresholds of action {number}: "
        + ", ".join(f"{name} {value:.3f}" for name, value in switch["thresholds"].items())
        for number, switch in enumerate(record["switches"], 1)
        if switch["thresholds"]
    ]
    return svg_text(
        partial(draw_timeline, record=record, begin=begin, phases=phases), "Alternation", "\n".join(lines), 300, WIDTH
    )


def draw_timeline(figure: Figure, record: Mapping[str, Any], begin: float = 0, phases: Iterable[str] = ()) -> None:
    """Draw the record of an alternation on a matplotlib figure; see ``timeline_plot``."""
    timeline, switches = record["timeline"], record["switches"]
    steps, epochs = ([point[key] for point in timeline] for key in ("iter", "epoch"))
    times = [begin + epoch for epoch in epochs]
    axes = figure.subplots()
    axes.set(xlabel="epoch", ylabel="on held-out images", xlim=(begin, max(times[-1], begin + 1)))
    measures = list(timeline[0]["measured"])
    bands = [(start, end, point["phase"]) for (start, end), point in zip(pairwise(times), timeline[1:])]
    mark_phases(axes, bands, [*phases, *(name for *_, name in bands)])
    begins = np.interp([switch["iter"] for switch in switches], steps, times)
    ends = [*begins[1:], times[-1]]
    for number, measure in enumerate(measures):
        colour = colour_of(number)
        for name in dict.fromkeys(name for switch in switches for name in switch["thresholds"]):
            if name.endswith(f"_{measure}"):
                pieces = [(at, end, s["thresholds"].get(name)) for s, at, end in zip(switches, begins, ends)]
                xs = [x for at, end, _ in pieces for x in (at, end)]
                ys = [float("nan") if value is None else value for *_, value in pieces for _ in range(2)]
                axes.plot(xs, ys, "--", color=colour, label=name.replace("_", ", "))
        values = [point["measured"][measure] for point in timeline]
        axes.plot(times, values, "o-", color=colour, label=measure, clip_on=False)
