from __future__ import annotations

import numpy as np
import pytest

from reidzoo.evaluation import neighbours
from reidzoo.evaluation.feature_table import FeatureTable
from reidzoo.evaluation.neighbours import SquaredDistances, nearest_neighbours


def plain_neighbours(x, k):
    x = x.astype(np.float64)
    dist = ((x[:, None] - x[None]) ** 2).sum(-1)
    order = [sorted(range(len(x)), key=lambda j: (j != i, dist[i, j], j))[:k] for i in range(len(x))]
    return np.array(order), dist


@pytest.mark.parametrize("tile", [16, 64, 2048])
@pytest.mark.parametrize("k", [1, 5, 21, 500])
def test_equals_the_plain_definition_with_many_ties(monkeypatch, tile, k):
    monkeypatch.setattr(neighbours, "TILE", tile)
    x = np.random.default_rng(k).integers(-2, 3, (150, 3)).astype(np.float32)
    want, dist = plain_neighbours(x, k)
    got = nearest_neighbours(SquaredDistances(FeatureTable(x, "x"), "euclidean"), k)
    assert np.array_equal(got.index, want)
    assert np.abs(got.distance - np.take_along_axis(dist, want, axis=1)).max() < 1e-5
    assert np.abs(got.farthest - dist.max(1)).max() < 1e-5


def test_cosine_and_exact_pairs():
    x = np.random.default_rng(0).standard_normal((60, 10)).astype(np.float32)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    want, dist = plain_neighbours(unit, 9)
    distances = SquaredDistances(FeatureTable(x, "x"), "cosine")
    assert np.array_equal(nearest_neighbours(distances, 9).index, want)
    left, right = np.array([0, 5, 59]), np.array([3, 5, 7])
    assert np.abs(distances.exact(left, right) - dist[left, right]).max() < 1e-12


def test_neighbours_that_float32_cannot_tell_apart():
    # Ten groups of 15 rows: within a group squared distances of about 1e-6, beside squared lengths of about 40.
    rng = np.random.default_rng(1)
    x = np.repeat(rng.standard_normal((10, 40)), 15, axis=0) + 1e-4 * rng.standard_normal((150, 40))
    x = x.astype(np.float32)[rng.permutation(150)]
    want, dist = plain_neighbours(x, 12)
    distances = SquaredDistances(FeatureTable(x, "x"), "euclidean")
    rows = distances.rows(0)
    assert not np.array_equal(np.argsort(distances.tile(rows, rows)[:150, :150].numpy(), axis=1)[:, :12], want)
    got = nearest_neighbours(distances, 12)
    assert np.array_equal(got.index, want)
    assert np.abs(got.distance - np.take_along_axis(dist, want, axis=1)).max() < 1e-10
