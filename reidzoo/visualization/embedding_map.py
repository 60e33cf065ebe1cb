"""A map of embeddings in the plane, coloured by identity or by camera."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from reidzoo.visualization.figure import COLOURS, colour_of, marker_of, svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_embedding_map", "embedding_map_plot"]


def embedding_map_plot(
    points: np.ndarray, labels: np.ndarray, shown: Mapping[int, str], title: str, description: str
) -> str:
    """Return an SVG of points in the plane.

    Args:
        points: float64 (N, 2).
        labels: integers (N,), what is coloured.
        shown: labels with a colour and a shape, up to 35 -> what the legend calls them; all others are grey dots.
        title: of the picture.
        description: what can be said of it in words.
    """
    draw = partial(draw_embedding_map, points=points, labels=labels, shown=shown)
    return svg_text(draw, title, description, 460, 460)


def draw_embedding_map(figure: Figure, points: np.ndarray, labels: np.ndarray, shown: Mapping[int, str]) -> None:
    """Draw the map on a matplotlib figure; see ``embedding_map_plot``."""
    axes = figure.subplots()
    others = ~np.isin(labels, list(shown))
    axes.plot(*points[others].T, ".", color="#999999", alpha=0.5, markersize=3)
    for number, (label, name) in enumerate(shown.items()):
        found = labels == label
        style: dict[str, Any] = {"color": colour_of(number), "markersize": 4, "alpha": 0.8, "markeredgewidth": 0}
        axes.plot(*points[found].T, marker_of(number // len(COLOURS)), label=name, **style)
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    axes.grid(False)
