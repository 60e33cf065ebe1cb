from __future__ import annotations

import math

import numpy as np
import pytest

from reidzoo.evaluation.intervals import bootstrap_band, bootstrap_interval, wilson_interval


def plain_wilson(share, count):
    """The two roots of (p - share)^2 = z^2 p (1 - p) / n, Wilson 1927."""
    z2 = 1.959963984540054**2
    a, b, c = 1 + z2 / count, -(2 * share + z2 / count), share * share
    root = math.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@pytest.mark.parametrize("share, count", [(0.5, 10), (0.0, 7), (1.0, 7), (0.37, 400), (1.0, 1)])
def test_wilson(share, count):
    assert wilson_interval(share, count) == pytest.approx(plain_wilson(share, count), abs=1e-12)


def test_people_are_drawn_not_queries():
    """Four queries of a person that are alike tell no more than one: the interval is that of the people."""
    rng = np.random.default_rng(0)
    people = rng.uniform(size=50)
    one = bootstrap_interval(people, np.arange(50))
    four = bootstrap_interval(np.repeat(people, 4), np.repeat(np.arange(50), 4))
    as_if = bootstrap_interval(np.repeat(people, 4), np.arange(200))
    assert four == pytest.approx(one, abs=1e-12)
    assert as_if[1] - as_if[0] < 0.7 * (one[1] - one[0])
    half = 1.96 * people.std(ddof=1) / math.sqrt(50)
    assert one == pytest.approx((people.mean() - half, people.mean() + half), abs=0.02)


def test_edges():
    assert bootstrap_interval(np.array([0.4, np.nan]), np.array([1, 2])) == (0.4, 0.4)
    with pytest.raises(ValueError, match="no value"):
        bootstrap_interval(np.array([np.nan]), np.array([1]))
    with pytest.raises(ValueError, match="share"):
        wilson_interval(1.2, 4)
    with pytest.raises(ValueError, match="at least one trial"):
        wilson_interval(0.5, 0)


def test_a_band_is_the_interval_of_each_column():
    rng = np.random.default_rng(1)
    values, groups = rng.uniform(size=(40, 3)), rng.integers(0, 9, 40)
    values[7] = np.nan
    low, high = bootstrap_band(values, groups)
    for column in range(3):
        assert bootstrap_interval(values[:, column], groups) == pytest.approx((low[column], high[column]), abs=1e-12)
    holed = values.copy()
    holed[8, 1] = np.nan  # in one column: the row is left out of all
    expected = bootstrap_band(np.delete(values, 8, axis=0), np.delete(groups, 8))
    np.testing.assert_array_equal(bootstrap_band(holed, groups), expected)


def test_a_person_of_many_queries_weighs_as_many():
    values, groups, means = np.arange(12.0), np.array([0] * 6 + [1] * 3 + [2] * 2 + [3]), []
    rng = np.random.default_rng(0)
    for _ in range(300):
        drawn = rng.integers(4, size=4)
        means.append(np.concatenate([values[groups == person] for person in drawn]).mean())
    expected = np.percentile(means, (2.5, 97.5))
    assert bootstrap_interval(values, groups, draws=300) == pytest.approx(tuple(expected))
