from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.cluster import kmeans_plusplus

from reidzoo.clustering import kmeans_plus_plus
from reidzoo.clustering.kmeans_plus_plus import KMeansPlusPlus


def draw(x, count, seed, group=None):
    group = np.arange(len(x)) if group is None else group
    return KMeansPlusPlus(torch.from_numpy(x), group, np.random.default_rng(seed)).draw(count).tolist()


def squared(x, chosen):
    """Squared distances (chosen, N) in float64, pair by pair."""
    x = x.astype(np.float64)
    return ((x[chosen][:, None] - x[None]) ** 2).sum(axis=2)


def transcription(x, count, seed):
    """Greedy k-means++ row by row in float64, on the draws that the class makes: where, and how likely to stand."""
    generator = np.random.default_rng(seed)
    trials = 2 + math.floor(math.log(count))
    chosen, queue = [int(generator.integers(len(x)))], []
    while len(chosen) < count:
        nearest = squared(x, chosen).min(axis=0)
        standing = []
        while queue and len(standing) < trials:
            candidate, limit = queue.pop(0)
            if limit < nearest[candidate]:
                standing.append(candidate)
        if len(standing) == trials:
            potentials = [np.minimum(nearest, squared(x, [candidate])[0]).sum() for candidate in standing]
            chosen.append(int(standing[int(np.argmin(potentials))]))
        else:
            size = min(kmeans_plus_plus.POOL, trials * len(chosen))
            drawn = np.searchsorted(np.cumsum(nearest), generator.random(size) * nearest.sum(), side="right")
            queue = list(zip(drawn, generator.random(size) * nearest[drawn]))
    return chosen


@pytest.mark.parametrize(("n", "count", "pool"), [(40, 1, 256), (40, 40, 256), (200, 60, 256), (200, 60, 20)])
def test_equals_the_definition_on_the_same_draws(n, count, pool, monkeypatch):
    # Whole numbers about a mean of zero, so that float32 and float64 agree to the last bit.
    monkeypatch.setattr(kmeans_plus_plus, "POOL", pool)
    half = np.unique(np.random.default_rng(0).integers(0, 50, (2 * n, 4)), axis=0)[1:]
    half = np.random.default_rng(1).permutation(half)[: n // 2]
    x = np.concatenate([half, -half]).astype(np.float32)
    assert len(np.unique(x, axis=0)) == n
    for seed in range(5):
        assert draw(x, count, seed) == transcription(x, count, seed)


def greedy_probability(x, chosen, trials):
    """Probability of each row to be chosen next: of all ``trials`` independent draws, the one that leaves least."""
    nearest = squared(x, chosen).min(axis=0)
    p = nearest / nearest.sum()
    left = [np.minimum(nearest, squared(x, [row])[0]).sum() for row in range(len(x))]
    probability = np.zeros(len(x))
    for drawn in itertools.product(range(len(x)), repeat=trials):
        probability[min(drawn, key=left.__getitem__)] += p[list(drawn)].prod()
    return probability


@pytest.mark.slow
def test_the_draws_have_the_distribution_of_the_definition():
    # Sequences of three of five rows, by the definition and by many runs; candidates are drawn several at once.
    x = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    expected, trials = {}, 2 + math.floor(math.log(3))
    for first in range(5):
        second = greedy_probability(x, [first], trials)
        for other in np.flatnonzero(second):
            third = greedy_probability(x, [first, other], trials)
            expected |= {(first, other, last): 1 / 5 * second[other] * third[last] for last in np.flatnonzero(third)}
    runs = 1500
    seen = dict.fromkeys(expected, 0)
    for seed in range(runs):
        seen[tuple(draw(x, 3, seed))] += 1
    assert sum(expected.values()) == pytest.approx(1)
    likely = [key for key, p in expected.items() if runs * p >= 5]  # for which chi squared is good
    rest = sum(expected[key] for key in expected if key not in likely)
    statistic = sum((seen[key] - runs * expected[key]) ** 2 / (runs * expected[key]) for key in likely)
    statistic += (sum(seen[key] for key in expected if key not in likely) - runs * rest) ** 2 / (runs * rest)
    freedom = len(likely)
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


def test_leaves_as_little_as_scikit_learn():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((40, 16))[np.arange(800) % 40] + 0.3 * rng.standard_normal((800, 16))).astype(np.float32)
    ours = [squared(x, draw(x, 40, seed)).min(axis=0).sum() for seed in range(20)]
    theirs = [squared(x, kmeans_plusplus(x, 40, random_state=seed)[1]).min(axis=0).sum() for seed in range(20)]
    plain = [squared(x, plain_plus_plus(x, 40, seed)).min(axis=0).sum() for seed in range(20)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.1)
    assert np.mean(ours) < 0.8 * np.mean(plain)


def plain_plus_plus(x, count, seed):
    """k-means++ with one candidate for each row."""
    generator = np.random.default_rng(seed)
    chosen = [int(generator.integers(len(x)))]
    while len(chosen) < count:
        nearest = squared(x, chosen).min(axis=0)
        chosen.append(int(generator.choice(len(x), p=nearest / nearest.sum())))
    return chosen


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_distances(offset, monkeypatch):
    monkeypatch.setattr(kmeans_plus_plus, "TILE", 64)
    x = (np.random.default_rng(0).standard_normal((150, 12)) + offset).astype(np.float32)
    rows = torch.from_numpy(x)
    got = KMeansPlusPlus(rows, np.arange(150), np.random.default_rng(0)).distances(rows[:7])
    np.testing.assert_allclose(got, squared(x, list(range(7))), atol=1e-4)


def test_a_pool_never_holds_more_distances_than_it_may(monkeypatch):
    sizes = []

    class Spy(KMeansPlusPlus):
        def distances(self, points):
            sizes.append(len(points))
            return super().distances(points)

    monkeypatch.setattr(kmeans_plus_plus, "ENTRIES", 3000)
    x = np.random.default_rng(0).standard_normal((150, 4)).astype(np.float32)
    assert len(set(Spy(torch.from_numpy(x), np.arange(150), np.random.default_rng(0)).draw(50).tolist())) == 50
    assert max(sizes) == 20
    monkeypatch.setattr(kmeans_plus_plus, "ENTRIES", 1)  # less than the candidates of one centre: those, then
    sizes.clear()
    assert len(set(Spy(torch.from_numpy(x), np.arange(150), np.random.default_rng(0)).draw(50).tolist())) == 50
    assert max(sizes) == 5


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


def test_a_row_that_float32_cannot_tell_from_many_equal_chosen_ones_is_drawn():
    """The last bit of a number of ten thousand is lost in its square: the copies and the other row are equally near."""
    near, other, far = np.float32(1e4), np.nextafter(np.float32(1e4), np.float32(2e4)), np.float32(-1e4)
    x = np.array([near] * 1000 + [far] * 1000 + [other])[:, None]
    group = np.array([0] * 1000 + [1] * 1000 + [2])
    for seed in range(5):
        assert sorted(group[draw(x, 3, seed, group)]) == [0, 1, 2]


@pytest.mark.parametrize("number", [0.0, np.nextafter(1.0, 0.0)])
def test_the_least_and_the_greatest_random_number_draw_a_row_that_has_weight(number):
    class Always:
        def integers(self, _):
            return 0

        def random(self, size):
            return np.full(size, number)

    # The weight of a row at no distance is so small that a number just below 1 times it is the weight itself.
    drawer = KMeansPlusPlus(torch.zeros(2, 1), np.arange(2), Always())
    drawer.draw(1)
    assert drawer._pool(3)[0].tolist() == [1, 1, 1]
