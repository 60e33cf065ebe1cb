"""Scores pseudo labels against true identities: for diagnosis, never for training."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from reidzoo.clustering.label_cleaning import as_labels
from reidzoo.errors import ClusteringError

__all__ = ["label_quality", "pair_count"]

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def label_quality(
    labels: np.ndarray | Tensor, pids: np.ndarray | Tensor, camids: np.ndarray | Tensor
) -> dict[str, float]:
    """Return how well pseudo labels agree with the true identities of the images that have both.

    Clusters fail in two ways: images of several people in one, and images of one person in several. Purity and pair
    precision see the first; recall sees the second, and over two cameras it is what re-identification asks for.

    Args:
        labels: int (N,), -1 for an outlier.
        pids: int (N,), the true identities, -1 where unknown.
        camids: int (N,), the cameras.

    Returns:
        ``clusters``, ``outliers`` (images without a label), ``size_min``, ``size_25``, ``size_50``, ``size_75``,
        ``size_max`` (images of a cluster); and, over the images with a label and a known identity, ``purity`` (the
        share that is of its cluster's most frequent identity), ``pair_precision`` (of the pairs in one cluster, those
        of one identity), ``pair_recall`` (of the pairs of one identity, those in one cluster) and
        ``cross_camera_recall`` (the same of pairs from two cameras). A share of no pair is 0.

    Raises:
        ClusteringError: the three are not integers of one length.
    """
    labels, pids, camids = as_labels(labels), as_labels(pids), as_labels(camids)
    if not len(labels) == len(pids) == len(camids):
        raise ClusteringError(f"{len(labels)} labels, {len(pids)} identities and {len(camids)} cameras do not agree")
    _, sizes = np.unique(labels[labels >= 0], return_counts=True)
    quantiles = np.quantile(sizes, QUANTILES) if len(sizes) else np.zeros(len(QUANTILES))
    names = ("size_min", "size_25", "size_50", "size_75", "size_max")
    counts = {"clusters": float(len(sizes)), "outliers": float((labels < 0).sum())}
    both = (labels >= 0) & (pids >= 0)
    return {**counts, **dict(zip(names, quantiles.tolist())), **_shares(labels[both], pids[both], camids[both])}


def _shares(labels: np.ndarray, pids: np.ndarray, camids: np.ndarray) -> dict[str, float]:
    together = pair_count(labels)
    right = pair_count(labels, pids)
    same = pair_count(pids)
    across = same - pair_count(pids, camids)
    found = right - pair_count(labels, pids, camids)
    groups, sizes = np.unique(np.stack([labels, pids]), axis=1, return_counts=True)
    largest = np.zeros(labels.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(largest, groups[0], sizes)
    return {
        "purity": float(largest.sum() / max(len(labels), 1)),
        "pair_precision": right / max(together, 1),
        "pair_recall": right / max(same, 1),
        "cross_camera_recall": found / max(across, 1),
    }


def pair_count(*columns: np.ndarray) -> int:
    """Return the number of pairs of images that agree in all columns."""
    _, sizes = np.unique(np.stack(columns), axis=1, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum())
