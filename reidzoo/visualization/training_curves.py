"""Curves over the epochs of a run, a panel each, with the run's stages and phases marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from reidzoo.visualization.figure import colour_of, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Points", "Span", "draw_training_curves", "held", "joined", "mark_phases", "mark_stages", "training_curves_plot",
]  # fmt: skip

Points = Sequence[tuple[float, float]]
"""Epoch and value, epochs rising."""
Span = tuple[float, float, str]
"""From one epoch to another, and what it is called."""
PANEL, WIDTH = 96, 460
"""Pixels."""
HATCHES = ("", "///", "...")
WIDE_RANGE = 30
"""A curve whose greatest value is so many times its least is drawn on a logarithmic scale."""


def joined(points: Points, stages: Sequence[Span], phases: Sequence[Span]) -> list[list[tuple[float, float]]]:
    """Return runs of points, broken where a stage ends or more than an epoch lies between two: of what was measured."""
    pieces = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] - before[0] > 1.01 or any(before[0] <= end < point[0] for _, end, _ in stages):
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def held(points: Points, stages: Sequence[Span], phases: Sequence[Span]) -> list[list[tuple[float, float]]]:
    """Return the corners of steps, a run for each turn of a phase or stage with a point: of what stays as it is set."""
    turns: list[Span] = []
    for begin, end, name in phases:
        if turns and turns[-1][1:] == (begin, name):
            begin = turns.pop()[0]
        turns.append((begin, end, name))
    turns += [stage for stage in stages if not any(stage[0] <= begin < stage[1] for begin, *_ in phases)]
    pieces = []
    for begin, end, _ in turns or [(0.0, points[-1][0], "")]:
        if inside := [point for point in points if begin < point[0] <= end]:
            starts = [begin, *(epoch for epoch, _ in inside)]
            pieces.append([(x, value) for start, (epoch, value) in zip(starts, inside) for x in (start, epoch)])
    return pieces


Pieces = Callable[[Points, Sequence[Span], Sequence[Span]], list[list[tuple[float, float]]]]


def training_curves_plot(
    curves: Mapping[str, Points],
    title: str,
    stages: Sequence[Span] = (),
    phases: Sequence[Span] = (),
    pieces: Pieces = joined,
) -> str:
    """Return an SVG of ``curves``, such as losses or learning rates.

    Args:
        curves: name -> its points.
        title: of the picture.
        stages: the run's stages; no curve is drawn from one into the next.
        phases: what was trained when; each phase is a tint and a hatching.
        pieces: what makes lines of a curve's points: ``joined`` or ``held``.
    """
    lines = [f"{name}: from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in curves.items()]
    draw = partial(draw_training_curves, curves=curves, stages=stages, phases=phases, pieces=pieces)
    return svg_text(draw, title, "\n".join(lines), 90 + PANEL * len(curves), WIDTH)


def draw_training_curves(
    figure: Figure,
    curves: Mapping[str, Points],
    stages: Sequence[Span] = (),
    phases: Sequence[Span] = (),
    pieces: Pieces = joined,
) -> None:
    """Draw a panel for each of ``curves`` on a matplotlib figure."""
    panels = figure.subplots(len(curves), 1, squeeze=False, sharex=True)[:, 0]
    for number, (axes, (name, points)) in enumerate(zip(panels, curves.items())):
        values = [value for _, value in points]
        if min(values) > 0 and max(values) > WIDE_RANGE * min(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for piece in pieces(points, stages, phases):
            axes.plot(*zip(*piece), marker="o" if len(piece) == 1 else "", color=colour_of(number))
        axes.set_title(name, loc="left", fontsize="medium")
        mark_stages(axes, stages, named=number == 0)
        mark_phases(axes, phases, [name for *_, name in phases])
    panels[-1].set_xlabel("epoch")


def mark_stages(axes: Axes, stages: Sequence[Span], named: bool = True) -> None:
    """Draw a line where a stage begins and, where ``named``, the stages' names above the axes."""
    if not stages:
        return
    whole = max(stages[-1][1] - stages[0][0], 1e-9)
    axes.set_xlim(stages[0][0], stages[0][0] + whole)
    crowded = any((end - begin) / whole * 60 < len(name) for begin, end, name in stages)
    for number, (begin, end, name) in enumerate(stages):
        if number:
            axes.axvline(begin, color="#777777", linewidth=0.8)
        if named and len(stages) > 1:
            above = 17 + 9 * (number % 2 if crowded else 0)
            where: dict[str, Any] = {
                "xycoords": axes.get_xaxis_transform(),
                "textcoords": "offset points",
                "ha": "center",
            }
            axes.annotate(name, ((begin + end) / 2, 1), (0, above), fontsize="small", **where)


def mark_phases(axes: Axes, phases: Iterable[Span], names: Iterable[str]) -> None:
    """Draw a band for each phase.

    Args:
        axes: what to draw on.
        phases: the bands.
        names: all phases of a page, in one order, so that each has one tint in all its pictures; a name may come twice.
    """
    names = list(dict.fromkeys(names))
    for begin, end, name in phases:
        number = names.index(name)
        style: dict[str, Any] = {
            "facecolor": colour_of(number + 3),
            "edgecolor": "#777777",
            "linewidth": 0,
            "alpha": 0.22,
        }
        axes.axvspan(begin, end, label=f"phase: {name}", hatch=HATCHES[number % 3], **style)
