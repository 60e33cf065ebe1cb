"""Computes intervals of means over seeds, and decides whether a claimed ordering holds.

Every interval is a 95 % percentile bootstrap interval over seeds: seeds are drawn with replacement, and the 2.5th and
97.5th percentiles of the means of such draws are its ends. It says how the result varies with the seed on these data,
not how it would on other data. It uses no model of the noise, but with few seeds it is too narrow, since the mean of a
draw cannot be more extreme than the seeds are; ``coverage`` says by how much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import bootstrap, nct, t

__all__ = ["HOLDS", "MIN_SEEDS", "UNDECIDED", "WRONG", "coverage", "interval", "seeds_needed", "verdict"]

HOLDS, WRONG, UNDECIDED = "holds", "does not hold", "undecided"
MIN_SEEDS = 3
"""With fewer seeds no claim is decided."""
_COVERAGE = {2: 0.50, 3: 0.75, 4: 0.80, 5: 0.83, 6: 0.86, 7: 0.87, 8: 0.89, 9: 0.90, 10: 0.91}


def coverage(seeds: int) -> float:
    """Return how often ``interval`` of ``seeds`` normally distributed values contains their true mean.

    From a simulation of 6,000 sets of values for each number; above 10 seeds this is the figure of 10.
    """
    return _COVERAGE[min(max(seeds, 2), 10)]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % percentile bootstrap interval of the mean, always the same for the same values.

    For a claim, give the differences of two rows seed by seed: the bootstrap is then paired.

    Args:
        values: one per seed.

    Returns:
        Its lower and upper end; None with fewer than two values, or where one is not finite.
    """
    array = np.asarray(values, np.float64)
    if len(array) < 2 or not np.isfinite(array).all():
        return None
    if np.ptp(array) == 0.0:
        return float(array[0]), float(array[0])
    ends = bootstrap(
        (array,), np.mean, n_resamples=9999, confidence_level=0.95, method="percentile", vectorized=True,
        random_state=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(ends.low), float(ends.high)


def seeds_needed(differences: Sequence[float], effect: float, power: float = 0.8) -> int | None:
    """Return how many seeds it takes to see a difference of ``effect`` that varies with the seed as ``differences`` do.

    That is the least number with which a paired t-test, two-sided at 5 %, finds it with probability ``power``. The
    standard deviation of few differences is itself uncertain by half and more, and so is the answer, by its square.

    Args:
        differences: better - worse, one per seed.
        effect: the true difference to see; its sign does not matter.
        power: how often it is to be seen.

    Returns:
        The number; None with fewer than ``MIN_SEEDS`` differences, where all are equal, without an effect, or where it
        is above 1,000.
    """
    if len(differences) < MIN_SEEDS or effect == 0 or not np.isfinite(differences).all():
        return None
    deviation = float(np.std(differences, ddof=1))
    if deviation == 0.0:
        return None
    seeds = np.arange(2, 1001)
    bound, shift = t.ppf(0.975, seeds - 1), abs(effect) / deviation * np.sqrt(seeds)
    enough = np.flatnonzero(nct.sf(bound, seeds - 1, shift) >= power)
    return int(seeds[enough[0]]) if len(enough) else None


def verdict(differences: Sequence[float]) -> str:
    """Return whether a claim holds, from the differences better - worse, one per seed.

    Returns:
        ``holds`` if the interval of their mean is above 0, ``does not hold`` if it is below 0, and ``undecided`` if it
        contains 0 or there are fewer than ``MIN_SEEDS`` seeds.
    """
    ends = interval(differences)
    if ends is None or len(differences) < MIN_SEEDS:
        return UNDECIDED
    return HOLDS if ends[0] > 0 else WRONG if ends[1] < 0 else UNDECIDED
