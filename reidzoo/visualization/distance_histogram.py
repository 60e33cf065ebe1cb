"""Draws how far apart two images of one identity are, and two of different ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from reidzoo.visualization.figure import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["distance_histogram_plot", "draw_distance_histogram"]

BINS = 60


def distance_histogram_plot(
    edges: np.ndarray, same: np.ndarray, different: np.ndarray, thresholds: Mapping[str, float], title: str, axis: str
) -> str:
    """Return an SVG of two histograms, each in percent of its own pairs, and thresholds.

    Args:
        edges: float64 (T + 1,), rising distances.
        same, different: float64 (T,), the share of the pairs of one identity, and of two, between two edges.
        thresholds: what each says -> its distance.
        title: of the picture.
        axis: what the distances are.
    """
    means = [float((share * (edges[1:] + edges[:-1])).sum() / 2) for share in (same, different)]
    lines = [f"mean {axis}: {means[0]:.3f} of one identity, {means[1]:.3f} of different ones"]
    lines += [f"{name}: {value:.3f}" for name, value in thresholds.items()]
    draw = partial(
        draw_distance_histogram, edges=edges, same=same, different=different, thresholds=thresholds, axis=axis
    )
    return svg_text(draw, title, "\n".join(lines), 320, 460)


def draw_distance_histogram(
    figure: Figure,
    edges: np.ndarray,
    same: np.ndarray,
    different: np.ndarray,
    thresholds: Mapping[str, float],
    axis: str,
) -> None:
    """Draw the histograms on a matplotlib figure; see ``distance_histogram_plot``."""
    axes = figure.subplots()
    used = np.flatnonzero(same + different > 1e-5)
    first, last = edges[used[0]], edges[used[-1] + 1]
    bins, centres = np.linspace(first, last, BINS + 1).tolist(), (edges[1:] + edges[:-1]) / 2
    for share, label, colour, hatch in ((different, "different", "C1", ""), (same, "same identity", "C2", "///")):
        style: dict[str, Any] = {
            "histtype": "stepfilled",
            "alpha": 0.45,
            "edgecolor": colour,
            "facecolor": colour,
            "hatch": hatch,
        }
        axes.hist(centres, bins, weights=100 * share, label=label, **style)
    for number, (name, value) in enumerate(thresholds.items()):
        axes.axvline(value, color="#000000", linestyle=("--", ":", "-.")[number % 3], linewidth=1.2, label=name)
    ends = [first, last, *thresholds.values()]
    axes.set(xlabel=axis, ylabel="% of the pairs of a kind", xlim=(min(ends), max(ends)))
