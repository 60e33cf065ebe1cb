"""Rows that share a key, such as all gallery images of an identity."""

from __future__ import annotations

import numpy as np


class Groups:
    """The places of every key in an array, for looking up many keys at once.

    Args:
        keys: int64 (N,).
        keep: boolean (N,); places that are False are in no group. All are kept by default.
    """

    def __init__(self, keys: np.ndarray, keep: np.ndarray | None = None) -> None:
        places = np.arange(len(keys)) if keep is None else np.flatnonzero(keep)
        self._places = places[np.argsort(keys[places], kind="stable")]
        self._keys = keys[self._places]
        self.unique = np.unique(self._keys)

    def members(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs (i, place) with ``keys[place] == wanted[i]``, ordered by i and then by place."""
        first = np.searchsorted(self._keys, wanted, side="left")
        count = np.searchsorted(self._keys, wanted, side="right") - first
        before = np.cumsum(count) - count
        within = np.arange(count.sum()) - np.repeat(before, count)
        return np.repeat(np.arange(len(wanted)), count), self._places[np.repeat(first, count) + within]

    def lowest(self, priority: np.ndarray) -> np.ndarray:
        """Return for every key in ``unique`` the place with the lowest ``priority``, (N,) without equal values."""
        order = np.lexsort((priority[self._places], self._keys))
        return self._places[order[np.searchsorted(self._keys, self.unique, side="left")]]
