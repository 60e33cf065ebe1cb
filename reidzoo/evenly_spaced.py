"""Picks evenly spaced indices."""

from __future__ import annotations

import numpy as np

__all__ = ["evenly_spaced"]


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return up to ``most`` of the numbers from 0 to ``count`` - 1, evenly spaced from the first to the last: int64."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))
