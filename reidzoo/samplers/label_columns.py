"""The columns of a training set that samplers draw by."""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["LabelColumns"]


class LabelColumns(Protocol):
    """Labels of N images; a ``TrainSet`` has them, and samplers are built with one.

    Attributes:
        pids: int64 (N,), identity of each image, -1 for junk and for images without a label.
        camids: int64 (N,), camera of each image.
        domains: int64 (N,), domain of each image.
    """

    pids: np.ndarray
    camids: np.ndarray
    domains: np.ndarray
