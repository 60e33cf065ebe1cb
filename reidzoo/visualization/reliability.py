"""The reliability diagram: what was predicted, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reidzoo.visualization.figure import colour_of, marker_of, svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_reliability", "reliability_plot"]

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of each bin the mean prediction, the share that came true, and the bin's share of all pairs; (B,) each."""


def reliability_plot(curves: Mapping[str, Points], title: str, height: int = 420) -> str:
    """Return an SVG of reliability diagrams.

    Args:
        curves: label -> its points.
        title: above it.
        height: in pixels.
    """
    lines = [
        f"{label}: "
        + "; ".join(f"{x:.2f} predicted, {y:.2f} observed, {100 * n:.0f} % of the pairs" for x, y, n in zip(*points))
        for label, points in curves.items()
    ]
    return svg_text(partial(draw_reliability, curves=curves), title, "\n".join(lines), height)


def draw_reliability(figure: Figure, curves: Mapping[str, Points]) -> None:
    """Draw the diagrams on a matplotlib figure, over a strip that shows how many pairs get which prediction."""
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.plot([0, 1], [0, 1], "--", color="#777777", label="calibrated")
    for number, (label, (predicted, observed, share)) in enumerate(curves.items()):
        style = {"marker": marker_of(number), "color": colour_of(number), "label": label, "clip_on": False}
        upper.plot(predicted, observed, **style)
        lower.plot(predicted, 100 * share, **{**style, "label": ""}, linewidth=1, markersize=4)
    upper.set(ylabel="share of one identity", ylim=(0, 1), xlim=(0, 1))
    lower.set(xlabel="predicted probability of one identity", ylabel="% of pairs", ylim=(0, None))
