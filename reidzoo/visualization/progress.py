"""Retrieval measures over the epochs of a run, a panel for each test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from reidzoo.visualization.figure import colour_of, marker_of, svg_text
from reidzoo.visualization.training_curves import WIDTH, Points, Span, mark_stages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_progress", "progress_plot"]


def progress_plot(
    measures: Mapping[str, Mapping[str, Points]], title: str, stages: Sequence[Span] = (), unit: str = "%"
) -> str:
    """Return an SVG of measures over epochs.

    Args:
        measures: panel, such as a test set -> measure -> its points.
        title: of the picture.
        stages: the run's stages.
        unit: of all values.
    """
    lines = [
        f"{panel}: {name} from {points[0][1]:.1f} to {points[-1][1]:.1f} {unit}"
        for panel, curves in measures.items()
        for name, points in curves.items()
    ]
    draw = partial(draw_progress, measures=measures, stages=stages, unit=unit)
    return svg_text(draw, title, "\n".join(lines), 110 + 170 * len(measures), WIDTH)


def draw_progress(
    figure: Figure, measures: Mapping[str, Mapping[str, Points]], stages: Sequence[Span] = (), unit: str = "%"
) -> None:
    """Draw ``measures`` on a matplotlib figure."""
    panels = figure.subplots(len(measures), 1, squeeze=False, sharex=True)[:, 0]
    names = list(dict.fromkeys(name for curves in measures.values() for name in curves))
    for number, (axes, (title, curves)) in enumerate(zip(panels, measures.items())):
        for name, points in curves.items():
            place = names.index(name)
            axes.plot(*zip(*points), marker_of(place) + "-", color=colour_of(place), label=name, clip_on=False)
        axes.set(ylabel=unit, ylim=(0, 100 if unit == "%" else None))
        axes.set_title(title, loc="left", fontsize="medium")
        mark_stages(axes, stages, named=number == 0)
    panels[-1].set_xlabel("epoch")
