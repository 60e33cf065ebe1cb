from __future__ import annotations

import numpy as np
import pytest

from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.k_reciprocal import encode, expanded_sets, membership, reciprocal_sets
from reidzoo.neighbours.search import nearest_neighbours
from reidzoo.neighbours.squared_distances import SquaredDistances


def people(seed, count, dim=6):
    """Features of a few identities, and copies of some images."""
    rng = np.random.default_rng(seed)
    x = 2 * rng.standard_normal((6, dim))[rng.integers(0, 6, count)] + rng.standard_normal((count, dim))
    x[count // 2 : count // 2 + count // 5] = x[0]
    return x.astype(np.float32)


def squared(x, metric):
    """All squared distances in float64; rounded, so that copies tie."""
    x = x.astype(np.float64)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.round(((x[:, None] - x[None]) ** 2).sum(-1), 12)


def ranked(dist):
    """Each row's order of all rows: itself, then by distance, ties by index."""
    return np.array([sorted(range(len(dist)), key=lambda j: (j != i, dist[i, j], j)) for i in range(len(dist))])


def plain_reciprocal(ranking, i):
    return {j for j in ranking[i].tolist() if i in ranking[j]}


def plain_expanded(ranking, i, k1):
    """R*(i) and how many of the members' half-sized sets lie in R(i, k1) by exactly two thirds."""
    base = plain_reciprocal(ranking, i)
    expanded, edge = set(base), 0
    for candidate in base:
        extra = plain_reciprocal(ranking[:, : round(k1 / 2) + 1], candidate)
        edge += 3 * len(extra & base) == 2 * len(extra)
        if len(extra & base) > 2 / 3 * len(extra):
            expanded |= extra
    return expanded, edge


def members(matrix):
    return [set(row.indices[row.data > 0].tolist()) for row in matrix]


@pytest.mark.parametrize(("count", "width"), [(1, 1), (2, 2), (30, 1), (30, 7), (80, 21), (40, 40)])
def test_reciprocal_sets_equal_the_plain_definition(count, width):
    ranking = ranked(squared(people(width, count), "euclidean"))[:, :width]
    before = ranking.copy()
    sets = reciprocal_sets(ranking)
    assert sets.dtype == np.int32 and (sets.data == 1).all() and (ranking == before).all()
    assert members(sets) == [plain_reciprocal(ranking, i) for i in range(count)]


@pytest.mark.parametrize("count_self", [True, False])
@pytest.mark.parametrize(("count", "k1"), [(1, 20), (4, 2), (30, 1), (60, 5), (60, 6), (90, 20), (25, 30)])
def test_expanded_sets_equal_the_plain_definition(count, k1, count_self):
    ranking = ranked(squared(people(k1, count), "euclidean"))[:, : k1 if count_self else k1 + 1]
    for dtype in (np.int64, np.int32):
        sets = expanded_sets(ranking.astype(dtype), k1)
        assert members(sets) == [plain_expanded(ranking, i, k1)[0] for i in range(count)]


def test_exactly_two_thirds_are_not_enough():
    ranking = ranked(squared(people(0, 60), "euclidean"))[:, :10]
    plain = [plain_expanded(ranking, i, 9) for i in range(60)]
    assert sum(edge for _, edge in plain) > 0  # there are such sets among these
    assert members(expanded_sets(ranking, 9)) == [expanded for expanded, _ in plain]
    sizes = np.arange(1, 2000)
    assert all((3 * c > 2 * s) == (c > 2 / 3 * s) for s in sizes for c in {2 * s // 3, 2 * s // 3 + 1})


def test_membership_does_not_share_the_memory_of_the_ranking():
    ranking = np.array([[0, 2], [1, 0], [2, 1]], dtype=np.int32)
    matrix = membership(ranking, np.float32(0.5))
    matrix.sort_indices()
    assert matrix.toarray().tolist() == [[0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5]]
    assert ranking.tolist() == [[0, 2], [1, 0], [2, 1]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("count", "k1", "k2"), [(1, 20, 6), (9, 20, 6), (60, 20, 6), (60, 5, 1), (60, 3, 9)])
def test_encodings_equal_the_dense_definition(metric, count, k1, k2):
    x = people(count + k1, count)
    dist = squared(x, metric)
    ranking = ranked(dist)
    codes = np.zeros((count, count))
    for i in range(count):
        index = sorted(plain_expanded(ranking[:, : k1 + 1], i, k1)[0])
        weights = np.exp(-dist[i, index] / (dist[i].max() or 1.0))
        codes[i, index] = weights / weights.sum()
    want = np.stack([codes[ranking[i, :k2]].mean(axis=0) for i in range(count)])
    distances = SquaredDistances(FeatureTable(x, "x"), metric)
    neighbours = nearest_neighbours(distances, max(k1 + 1, k2), farthest=True)
    got = encode(distances, neighbours, k1, k2)
    assert got.dtype == np.float32 and got.shape == (count, count)
    np.testing.assert_allclose(got.toarray(), want, atol=1e-6)
    np.testing.assert_allclose(np.asarray(got.sum(axis=1)).ravel(), 1, atol=1e-5)
