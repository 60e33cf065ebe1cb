from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from reidzoo.tables.statistics import HOLDS, UNDECIDED, WRONG, coverage, interval, seeds_needed, verdict


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_interval_is_the_percentiles_of_all_draws(count):
    """All draws with replacement are few enough to list; scipy takes 9,999 of them at random."""
    values = np.random.default_rng(count).normal(40, 2, count)
    means = np.array([np.mean(draw) for draw in itertools.product(values, repeat=count)])
    low, high = interval(list(values))
    for end, part in ((low, 0.025), (high, 0.975)):
        # Of a distribution with few values a percentile is a value; 0.006 is four standard errors of 9,999 draws.
        assert np.mean(means < end - 1e-9) <= part + 0.006
        assert np.mean(means <= end + 1e-9) >= part - 0.006
    assert interval(list(values)) == (low, high)


def test_intervals_of_few_values():
    assert interval([]) is None and interval([3.0]) is None
    assert interval([3.0, 3.0, 3.0]) == (3.0, 3.0)
    assert interval([1.0, 2.0]) == (1.0, 2.0)
    assert interval([1.0, 2.0, 6.0]) == (1.0, 6.0)  # 1 in 27 draws has one seed only


@pytest.mark.slow
def test_coverage_is_what_a_simulation_gives():
    rng = np.random.default_rng(0)
    for count in (2, 3, 5, 10, 30):
        values = rng.standard_normal((1500, count))
        draws = np.take_along_axis(values[:, None, :], rng.integers(0, count, (1500, 400, count)), 2).mean(2)
        low, high = np.percentile(draws, [2.5, 97.5], axis=1)
        found = np.mean((low <= 0) & (high >= 0))
        assert found == pytest.approx(coverage(count), abs=0.05)


def test_verdicts():
    assert verdict([1.0, 2.0, 1.5]) == HOLDS
    assert verdict([-1.0, -2.0, -1.5]) == WRONG
    assert verdict([1.0, -2.0, 1.5, 0.2]) == UNDECIDED
    assert verdict([1.0, 2.0]) == UNDECIDED
    assert verdict([0.0, 0.0, 0.0]) == UNDECIDED
    assert verdict([float("nan"), 1.0, 2.0]) == UNDECIDED


@pytest.mark.parametrize("effect, deviation", [(1.7, 1.2), (0.6, 1.5), (2.0, 1.0)])
def test_seeds_needed_have_the_power_in_a_simulation(effect, deviation):
    """So many seeds find the difference in about 80 % of t-tests; two thirds of them do not."""
    unit = np.array([-1.0, 0.0, 1.0, -1.0, 1.0]) / np.std([-1.0, 0.0, 1.0, -1.0, 1.0], ddof=1)
    count = seeds_needed(list(deviation * unit), effect)
    rng = np.random.default_rng(0)
    found = {}
    for seeds in (count, max(2 * count // 3, 2)):
        draws = rng.normal(effect, deviation, (4000, seeds))
        found[seeds] = (ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean()
    enough, fewer = found.values()
    assert 0.78 < enough < 0.95 and fewer < enough - 0.05


def test_seeds_needed_where_there_is_nothing_to_say():
    assert seeds_needed([1.0, 2.0], 1.0) is None  # too few to know how they vary
    assert seeds_needed([1.0, 2.0, 3.0], 0.0) is None
    assert seeds_needed([1.0, 2.0, 3.0], 1e-6) is None  # more than a thousand
    assert seeds_needed([1.0, 1.0, 1.0], 0.5) is None  # nor how they vary
    assert seeds_needed([1.0, 2.0, 4.0], -1.0) == seeds_needed([1.0, 2.0, 4.0], 1.0)
