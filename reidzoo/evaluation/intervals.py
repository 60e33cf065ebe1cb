"""Intervals of retrieval figures that a test set of this size leaves open."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["bootstrap_band", "bootstrap_interval", "wilson_interval"]

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def bootstrap_interval(values: np.ndarray, groups: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean, by drawing whole groups with replacement.

    Queries of one person are hard or easy together, so that persons are drawn, not queries (the cluster bootstrap,
    Davison and Hinkley 1997, section 3.8).

    Args:
        values: float64 (N,), such as average precisions; NaN is left out.
        groups: integers (N,), such as pids.
        draws: number of samples.
        seed: of the draws.

    Raises:
        ValueError: there is no value.
    """
    low, high = bootstrap_band(np.asarray(values, np.float64)[:, None], groups, draws, seed)
    return float(low[0]), float(high[0])


def bootstrap_band(
    values: np.ndarray, groups: np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals of several means at once, each as ``bootstrap_interval`` gives it, all from the same draws.

    Args:
        values: float64 (N, K), such as whether a query's first match is among the first 1, 2, ... K; a row with NaN is
            left out.
        groups: integers (N,).
        draws: number of samples.
        seed: of the draws.

    Returns:
        The lower and the upper ends, float64 (K,) each.

    Raises:
        ValueError: there is no value.
    """
    values, groups = np.asarray(values, np.float64), np.asarray(groups)
    known = ~np.isnan(values).any(axis=1)
    if not known.any():
        raise ValueError("there is no value to give an interval of")
    _, index = np.unique(groups[known], return_inverse=True)
    counts = np.bincount(index)
    sums = np.stack([np.bincount(index, column) for column in values[known].T])
    rng = np.random.default_rng(seed)
    means = np.empty((draws, len(sums)))
    for draw in range(draws):
        chosen = rng.integers(len(counts), size=len(counts))
        means[draw] = sums[:, chosen].sum(axis=1) / counts[chosen].sum()
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return low, high


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of ``count`` independent trials (Wilson 1927).

    Args:
        share: in [0, 1].
        count: at least 1.
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"an interval needs a share in [0, 1] of at least one trial, got {share} of {count}")
    centre = share + Z * Z / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    whole = 1 + Z * Z / count
    return max(0.0, (centre - half) / whole), min(1.0, (centre + half) / whole)
