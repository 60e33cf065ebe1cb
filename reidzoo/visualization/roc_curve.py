"""The ROC of telling pairs of one identity from pairs of different ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from reidzoo.visualization.figure import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_roc", "roc_plot"]

ROOM = 0.1
"""How high a point lies that has room for its label below it."""


def roc_plot(fpr: np.ndarray, tpr: np.ndarray, marks: Mapping[float, float], title: str) -> str:
    """Return an SVG of true over false accepts, these on a logarithmic axis.

    Args:
        fpr, tpr: float64 (T,), shares of the pairs of two identities, and of one, that a threshold accepts.
        marks: FPR -> TPR, the points to mark.
        title: of the picture.
    """
    lines = [f"{100 * rate:g} % false accepts: {100 * value:.1f} % true accepts" for rate, value in marks.items()]
    return svg_text(partial(draw_roc, fpr=fpr, tpr=tpr, marks=marks), title, "\n".join(lines), 300, 460)


def draw_roc(figure: Figure, fpr: np.ndarray, tpr: np.ndarray, marks: Mapping[float, float]) -> None:
    """Draw the curve on a matplotlib figure; see ``roc_plot``."""
    axes = figure.subplots()
    known = fpr > 0
    axes.plot(100 * fpr[known], 100 * tpr[known], color="C0", label="one threshold for all pairs")
    axes.plot(100 * fpr[known], 100 * fpr[known], ":", color="#777777", label="chance")
    axes.plot([100 * rate for rate in marks], [100 * value for value in marks.values()], "o", color="C0")
    for rate, value in marks.items():
        # A curve that rises leaves free what is right of and below its point, and what is left of and above it.
        below = value > ROOM
        style: dict[str, Any] = {"ha": "left", "va": "top"} if below else {"ha": "right", "va": "bottom"}
        place = (100 * rate, 100 * value), (4, -3) if below else (-4, 3)
        axes.annotate(f"{100 * value:.1f} %", *place, textcoords="offset points", **style)
    axes.set_xscale("log")
    least = min([*marks, 0.1]) / 5
    axes.set(xlabel="different pairs accepted, %", ylabel="same pairs accepted, %", xlim=(100 * least, 100))
    axes.set_ylim(0, 100)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
