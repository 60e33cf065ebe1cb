"""Intervals of retrieval figures that a test set of this size leaves open."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["bootstrap_interval", "wilson_interval"]

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
    values, groups = np.asarray(values, np.float64), np.asarray(groups)
    known = ~np.isnan(values)
    if not known.any():
        raise ValueError("there is no value to give an interval of")
    _, index = np.unique(groups[known], return_inverse=True)
    sums, counts = np.bincount(index, values[known]), np.bincount(index)
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        chosen = rng.integers(len(sums), size=len(sums))
        means.append(sums[chosen].sum() / counts[chosen].sum())
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


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
