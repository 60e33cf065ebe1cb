"""Cleans pseudo labels: discards clusters by their size, and makes outliers classes of their own."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from reidzoo.errors import ClusteringError
from reidzoo.neighbours.checks import check_whole

__all__ = ["as_labels", "singletons", "size_bounds"]


def as_labels(labels: np.ndarray | Tensor) -> np.ndarray:
    """Return ``labels`` as int64 (N,).

    Raises:
        ClusteringError: not one-dimensional, not integers, or below -1.
    """
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ClusteringError(f"labels: expected integers (N,), got {array.dtype} {array.shape}")
    array = array.astype(np.int64)
    if array.min(initial=0) < -1:
        raise ClusteringError(f"labels: expected -1 for an outlier and >= 0 otherwise, got {array.min()}")
    return array


def size_bounds(labels: np.ndarray | Tensor, min_size: int = 5, max_size: int | None = 120) -> np.ndarray:
    """Discard clusters of fewer than ``min_size`` or more than ``max_size`` images (DomainMix, Eq. 1).

    Args:
        labels: int (N,), -1 = outlier.
        min_size: least size that stays.
        max_size: greatest size that stays; None sets no bound, as in the released code.

    Returns:
        int64 (N,): the clusters that stay, numbered from 0 in the order of their old numbers; -1 for the rest.

    Raises:
        ClusteringError: labels that are not integers >= -1, or bounds that nothing can meet.
    """
    labels = as_labels(labels)
    check_whole(min_size, "min_size", 0)
    if max_size is not None:
        check_whole(max_size, "max_size")
        if max_size < min_size:
            raise ClusteringError(f"expected min_size <= max_size, got min_size={min_size}, max_size={max_size}")
    inside = labels >= 0
    sizes = np.bincount(labels[inside])
    stays = (sizes > 0) & (sizes >= min_size)
    if max_size is not None:
        stays &= sizes <= max_size
    number = np.where(stays, np.cumsum(stays) - 1, -1)
    bounded = np.full(len(labels), -1, dtype=np.int64)
    bounded[inside] = number[labels[inside]]
    return bounded


def singletons(labels: np.ndarray | Tensor) -> np.ndarray:
    """Make every outlier a class of its own, numbered after the clusters in the order of the images.

    Returns:
        int64 (N,), without -1; clusters keep their numbers.

    Raises:
        ClusteringError: labels that are not integers >= -1.
    """
    numbered = as_labels(labels).copy()
    outliers = numbered < 0
    numbered[outliers] = int(numbered.max(initial=-1)) + 1 + np.arange(outliers.sum())
    return numbered
