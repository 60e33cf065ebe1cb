"""SpCL's reliability criterion, computed from counts of pairs of labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reidzoo.checks import PROBABILITY
from reidzoo.clustering.dbscan import number_by_first
from reidzoo.clustering.label_cleaning import as_labels, singletons
from reidzoo.errors import ClusteringError

__all__ = ["Reliability", "independence_threshold", "reliability", "self_paced_filter"]


class Reliability(NamedTuple):
    """The independence and compactness scores of each image; float64 (N,), in [0, 1], 0 is best."""

    independence: np.ndarray
    """1 - IoU(cluster, cluster at the loose radius)."""

    compactness: np.ndarray
    """1 - IoU(cluster, cluster at the tight radius)."""


def reliability(labels: np.ndarray, tight: np.ndarray, loose: np.ndarray) -> Reliability:
    """Return SpCL's R_indep and R_comp of each image (Ge et al., NeurIPS 2020, Eqs. 4 and 5).

    For image i with cluster C, and C' the one it has at the other radius, IoU = |C and C'| / |C or C'|, counted from
    the pairs of labels. An outlier is a cluster of its own in all three. (The paper's Eqs. call the IoU itself R; this
    is 1 - IoU, as in its code.)

    Args:
        labels: int (N,), clusters at eps, -1 = outlier.
        tight: the same at the smaller radius.
        loose: the same at the larger radius.

    Raises:
        ClusteringError: lengths that differ, or labels that are not integers >= -1.
    """
    lengths = {len(as_labels(each)) for each in (labels, tight, loose)}
    if len(lengths) > 1:
        raise ClusteringError(f"labels, tight and loose: expected one length, got {sorted(lengths)}")
    labels = singletons(labels)
    return Reliability(1.0 - overlap(labels, singletons(loose)), 1.0 - overlap(labels, singletons(tight)))


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return |A and B| / |A or B| for the classes A, B that each image has in two labellings without outliers."""
    width = int(other.max(initial=0)) + 1
    _, position, both = np.unique(one * width + other, return_inverse=True, return_counts=True)
    shared = both[position.reshape(-1)]
    union = np.bincount(one)[one] + np.bincount(other)[other] - shared
    return shared / union  # equal fractions give equal float64 numbers, so comparing them is exact


def independence_threshold(labels: np.ndarray, independence: np.ndarray, quantile: float = 0.9) -> float | None:
    """Return SpCL's threshold T: a quantile over the clusters of more than one image of their least R_indep.

    T is the value at position round(quantile * n) of the n sorted values, the last where that is past the end.

    Returns:
        T, or None where no cluster has more than one image.

    Raises:
        ClusteringError: labels that are not integers >= -1, scores of another length or NaN, or a quantile outside
            [0, 1].
    """
    labels = as_labels(labels)
    if len(independence) != len(labels):
        raise ClusteringError(f"independence: expected {len(labels)} scores, one per label, got {len(independence)}")
    if np.isnan(independence).any() or not PROBABILITY.accepts(quantile):
        raise ClusteringError(f"expected scores without NaN and a quantile in [0, 1], got {quantile} of {independence}")
    inside = labels >= 0
    least = cluster_minimum(labels, independence)
    sizes = np.bincount(labels[inside])
    values = np.sort(least[sizes > 1])
    if len(values) == 0:
        return None
    return float(values[min(len(values) - 1, round(len(values) * quantile))])


def self_paced_filter(labels: np.ndarray, scores: Reliability, threshold: float) -> np.ndarray:
    """Turn the unreliable images of ``labels`` (N,) into outliers, as SpCL does.

    An image stays when its cluster's least R_indep is at most ``threshold`` and its own R_comp is its cluster's least.

    Returns:
        int64 (N,): the labels that stay, numbered by first member, -1 = outlier.

    Raises:
        ClusteringError: labels that are not integers >= -1, scores of another length, or NaN.
    """
    labels = as_labels(labels)
    if any(len(score) != len(labels) for score in scores):
        raise ClusteringError(f"scores: expected {len(labels)} of each, one per label")
    if threshold is None or np.isnan([threshold, *map(np.sum, scores)]).any():
        raise ClusteringError(f"expected scores and a threshold without NaN, got {threshold} for {scores}")
    inside = np.flatnonzero(labels >= 0)
    cluster = labels[inside]
    independent = cluster_minimum(labels, scores.independence)[cluster] <= threshold
    compact = scores.compactness[inside] <= cluster_minimum(labels, scores.compactness)[cluster]
    reliable = inside[independent & compact]
    filtered = np.full(len(labels), -1, dtype=np.int64)
    filtered[reliable] = labels[reliable]
    return number_by_first(filtered)


def cluster_minimum(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the least of ``values`` in each cluster, by its number; infinity for a number that nobody has."""
    inside = labels >= 0
    least = np.full(int(labels.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, labels[inside], np.asarray(values, dtype=np.float64)[inside])
    return least
