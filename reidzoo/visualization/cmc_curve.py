"""The CMC curve with its interval."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reidzoo.visualization.figure import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cmc_plot", "draw_cmc_curve"]


def cmc_plot(cmc: np.ndarray, low: np.ndarray, high: np.ndarray, title: str) -> str:
    """Return an SVG of a CMC curve.

    Args:
        cmc: float64 (K,), rank-1 to rank-K as fractions.
        low, high: float64 (K,), the ends of their intervals.
        title: of the picture.
    """
    shown = [rank for rank in (1, 5, 10, 20, 50) if rank <= len(cmc)]
    lines = [
        f"rank-{rank}: {100 * cmc[rank - 1]:.1f} %, 95 % interval {100 * low[rank - 1]:.1f} to "
        f"{100 * high[rank - 1]:.1f} %"
        for rank in shown
    ]
    return svg_text(partial(draw_cmc_curve, cmc=cmc, low=low, high=high), title, "\n".join(lines), 300, 460)


def draw_cmc_curve(figure: Figure, cmc: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Draw the curve on a matplotlib figure; see ``cmc_plot``."""
    axes, ranks = figure.subplots(), np.arange(1, len(cmc) + 1)
    axes.fill_between(ranks, 100 * low, 100 * high, color="C0", alpha=0.2, linewidth=0, label="95 % interval")
    axes.plot(ranks, 100 * cmc, "o-", markersize=3, color="C0", label="queries matched")
    axes.set(xlabel="rank", ylabel="%", xlim=(0.5, len(cmc) + 0.5), ylim=(0, 100))
    axes.set_xticks([rank for rank in (1, 5, 10, 20, 30, 40, 50) if rank <= len(cmc)])
