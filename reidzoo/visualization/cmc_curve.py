"""The CMC curve with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reidzoo.visualization.figure import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cmc_plot", "draw_cmc_curve"]


def cmc_plot(cmc: np.ndarray, ends: Sequence[np.ndarray], title: str) -> str:
    """Return an SVG of a CMC curve.

    Args:
        cmc: float64 (K,), rank-1 to rank-K as fractions.
        ends: lower and upper ends of their intervals, float64 (K,) each; () for no interval.
        title: of the picture.
    """
    shown = [rank for rank in (1, 5, 10, 20, 50) if rank <= len(cmc)]
    lines = []
    for rank in shown:
        said = "{:.1f} to {:.1f} %".format(*(100 * end[rank - 1] for end in ends)) if ends else ""
        lines.append(f"rank-{rank}: {100 * cmc[rank - 1]:.1f} %{said and f', 95 % interval {said}'}")
    return svg_text(partial(draw_cmc_curve, cmc=cmc, ends=ends), title, "\n".join(lines), 300, 460)


def draw_cmc_curve(figure: Figure, cmc: np.ndarray, ends: Sequence[np.ndarray]) -> None:
    """Draw the curve on a matplotlib figure; see ``cmc_plot``."""
    axes, ranks = figure.subplots(), np.arange(1, len(cmc) + 1)
    if ends:
        low, high = (100 * end for end in ends)
        axes.fill_between(ranks, low, high, color="C0", alpha=0.2, linewidth=0, label="95 % interval")
    axes.plot(ranks, 100 * cmc, "o-", markersize=3, color="C0", label="queries matched")
    axes.set(xlabel="rank", ylabel="%", xlim=(0.5, len(cmc) + 0.5), ylim=(0, 100))
    axes.set_xticks([rank for rank in (1, 5, 10, 20, 30, 40, 50) if rank <= len(cmc)])
