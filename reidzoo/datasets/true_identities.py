"""The identities of training images that wrappers hide, for the diagnosis of what a method makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidzoo.datasets.train_set import TrainSet

__all__ = ["true_identities"]


def true_identities(data: TrainSet) -> np.ndarray:
    """Return the identities (N,) of a training set's images as their datasets have them beneath all wrappers.

    Two datasets share no identity. An image that has none there is -1. Whoever trains on this cheats.
    """
    pids, first = np.full(len(data), -1, dtype=np.int64), 0
    for domain, dataset in enumerate(data.datasets):
        inner: Any = dataset
        while hasattr(inner, "dataset"):
            inner = inner.dataset
        pid_of = {record.path: record.pid for record in inner.train}
        rows = np.flatnonzero(data.domains == domain)
        found = np.array([pid_of.get(data.paths[row], -1) for row in rows], dtype=np.int64)
        pids[rows] = np.where(found >= 0, found + first, -1)
        first = max(first, int(pids.max(initial=-1)) + 1)
    return pids
