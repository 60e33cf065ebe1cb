"""Histograms of how images, cameras and times of day are spread over identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reidzoo.visualization.figure import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_imbalance", "imbalance", "imbalance_plot"]


def imbalance(pids: Sequence[int], camids: Sequence[int], timeids: Sequence[int]) -> dict[str, np.ndarray]:
    """Return how many images, cameras and times of day each identity has: name -> int64 (identities,).

    That is what Fig. 1 of ADIN (Yuan et al., WACV 2020) shows of MSMT17. Times are left out where they are not known.

    Args:
        pids: identities of N images; those of -1, which is none, are left out.
        camids, timeids: their cameras and times of day; a time of -1 is not known.
    """
    people, cameras, times = (np.asarray(values, np.int64) for values in (pids, camids, timeids))
    known = people >= 0
    counted = {"images": np.unique(people[known], return_counts=True)[1], "cameras": _distinct(people, cameras, known)}
    if known.any() and (times[known] >= 0).all():
        counted["times of day"] = _distinct(people, times, known)
    return counted


def _distinct(pids: np.ndarray, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how many different values each identity has."""
    pairs = np.unique(np.stack([pids[known], values[known]], axis=1), axis=0)
    return np.unique(pairs[:, 0], return_counts=True)[1]


def imbalance_plot(counted: Mapping[str, np.ndarray], title: str) -> str:
    """Return an SVG of what ``imbalance`` has counted."""
    lines = [
        f"{name} of an identity: {values.min()} to {values.max()}, {values.mean():.1f} on average"
        for name, values in counted.items()
    ]
    return svg_text(partial(draw_imbalance, counted=counted), title, "\n".join(lines), 240)


def draw_imbalance(figure: Figure, counted: Mapping[str, np.ndarray]) -> None:
    """Draw a histogram of identities for each of ``counted`` on a matplotlib figure."""
    panels = figure.subplots(1, len(counted), squeeze=False)[0]
    for number, (axes, (name, values)) in enumerate(zip(panels, counted.items())):
        step = max(int(np.ceil((values.max() + 1) / 30)), 1)
        axes.hist(values, bins=np.arange(0.5, values.max() + step + 0.5, step), color=f"C{number}")
        axes.set(xlabel=f"{name} of an identity", ylabel="identities" if number == 0 else "")
