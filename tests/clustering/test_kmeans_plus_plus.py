from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.clustering import kmeans_plus_plus
from reidzoo.clustering.kmeans_plus_plus import plus_plus, squared_lengths, to_nearest


def draw(x, count, seed, group=None):
    group = np.arange(len(x)) if group is None else group
    return plus_plus(torch.from_numpy(x), count, group, np.random.default_rng(seed)).tolist()


def plain_probability(x, chosen):
    """Probability of each row to be drawn next."""
    distance = ((x[:, None] - x[chosen][None]) ** 2).sum(axis=2).min(axis=1)
    return distance / distance.sum()


@pytest.mark.slow
def test_the_draws_have_the_distribution_of_the_definition():
    # Sequences of four of five rows, by the definition and by many runs; two are drawn at once.
    x = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    expected = {}
    for first in range(5):
        for second in range(5):
            for third in range(5):
                steps = [first, second, third]
                if len(set(steps)) == 3:
                    p = 1 / 5 * plain_probability(x, steps[:1])[second] * plain_probability(x, steps[:2])[third]
                    for fourth in set(range(5)) - set(steps):
                        expected[(*steps, fourth)] = p * plain_probability(x, steps)[fourth]
    runs = 1500
    seen = dict.fromkeys(expected, 0)
    for seed in range(runs):
        seen[tuple(draw(x, 4, seed))] += 1
    assert sum(expected.values()) == pytest.approx(1)
    statistic = sum((seen[key] - runs * p) ** 2 / (runs * p) for key, p in expected.items())
    freedom = len(expected) - 1
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_distances_to_the_nearest(offset, monkeypatch):
    monkeypatch.setattr(kmeans_plus_plus, "TILE", 64)
    x = (np.random.default_rng(0).standard_normal((150, 12)) + offset).astype(np.float32)
    rows = torch.from_numpy(x)
    got = to_nearest(rows, rows[:7], *squared_lengths(rows))
    want = ((x[:, None].astype(np.float64) - x[None, :7]) ** 2).sum(axis=2).min(axis=1)
    assert np.abs(got - want).max() < (1e-4 if offset else 1e-5) * 12


def test_equal_rows_are_never_drawn_twice():
    kinds = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    group = np.concatenate([np.arange(30), np.zeros(2000, dtype=int)])
    for seed in range(5):
        assert sorted(group[draw(kinds[group], 30, seed, group)]) == list(range(30))


def test_rows_that_float32_cannot_tell_apart_can_all_be_drawn():
    x = (1000 + 1e-4 * np.arange(40)[:, None] * np.ones(3)).astype(np.float32)
    group = np.unique(x[:, 0], return_inverse=True)[1]
    count = group.max() + 1
    assert 1 < count <= 40
    assert sorted(group[draw(x, int(count), 0, group)]) == list(range(count))
