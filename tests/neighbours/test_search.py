from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.neighbours import tiles
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.search import nearest_by_cosine, nearest_neighbours
from reidzoo.neighbours.squared_distances import SquaredDistances


def plain_neighbours(x, k):
    x = x.astype(np.float64)
    dist = ((x[:, None] - x[None]) ** 2).sum(-1)
    order = [sorted(range(len(x)), key=lambda j: (j != i, dist[i, j], j))[:k] for i in range(len(x))]
    return np.array(order), dist


@pytest.mark.parametrize("tile", [16, 64, 2048])
@pytest.mark.parametrize("k", [1, 5, 21, 500])
def test_equals_the_plain_definition_with_many_ties(monkeypatch, tile, k):
    monkeypatch.setattr(tiles, "TILE", tile)
    x = np.random.default_rng(k).integers(-2, 3, (150, 3)).astype(np.float32)
    want, dist = plain_neighbours(x, k)
    got = nearest_neighbours(SquaredDistances(FeatureTable(x, "x"), "euclidean"), k, farthest=True)
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


def test_a_common_offset_does_not_eat_the_digits():
    x = (np.random.default_rng(2).standard_normal((60, 10)) + 1000).astype(np.float32)
    want, dist = plain_neighbours(x, 9)
    got = nearest_neighbours(SquaredDistances(FeatureTable(x, "x"), "euclidean"), 9, farthest=True)
    assert np.array_equal(got.index, want)
    assert np.abs(got.distance - np.take_along_axis(dist, want, axis=1)).max() < 1e-4
    assert np.abs(got.farthest - dist.max(1)).max() < 1e-4


def test_neighbours_that_float32_cannot_tell_apart():
    # Ten groups of 15 rows: within a group squared distances of about 1e-6, beside squared lengths of about 40.
    rng = np.random.default_rng(1)
    x = np.repeat(rng.standard_normal((10, 40)), 15, axis=0) + 1e-4 * rng.standard_normal((150, 40))
    x = x.astype(np.float32)[rng.permutation(150)]
    want, dist = plain_neighbours(x, 12)
    distances = SquaredDistances(FeatureTable(x, "x"), "euclidean")
    rows, squares = distances.tile(0, 150)
    rounded = squares[:, None] + squares - 2 * rows @ rows.T
    assert not np.array_equal(np.argsort(rounded.numpy(), axis=1)[:, :12], want)
    got = nearest_neighbours(distances, 12)
    assert np.array_equal(got.index, want)
    assert np.abs(got.distance - np.take_along_axis(dist, want, axis=1)).max() < 1e-10


def plain_with_copies(x, k):
    """Distances of float64 rounded, so that equal rows tie; self first, then by index."""
    dist = np.round(((x[:, None] - x[None]) ** 2).sum(-1), 12)
    order = [sorted(range(len(x)), key=lambda j: (j != i, dist[i, j], j))[:k] for i in range(len(x))]
    return np.array(order), dist


@pytest.mark.parametrize("tile", [16, 2048])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 30, 300])
def test_copies_beside_near_copies(metric, k, tile, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", tile)
    rng = np.random.default_rng(k)
    kinds = np.repeat(rng.standard_normal((12, 20)), 3, axis=0) + 1e-4 * rng.standard_normal((36, 20))
    x = np.float32(kinds)[np.append(rng.integers(0, 36, 150), [7] * 50)]
    prepared = x.astype(np.float64)
    if metric == "cosine":
        prepared /= np.linalg.norm(prepared, axis=1, keepdims=True)
    want, dist = plain_with_copies(prepared, k)
    got = nearest_neighbours(SquaredDistances(FeatureTable(x, "x"), metric), k, farthest=True)
    assert np.array_equal(got.index, want)
    assert np.abs(got.distance - np.take_along_axis(dist, want, axis=1)).max() < 1e-5
    assert np.abs(got.farthest - dist.max(1)).max() < 1e-4
    without = nearest_neighbours(SquaredDistances(FeatureTable(x, "x"), metric), k)
    assert without.farthest is None
    with pytest.raises(ValueError, match="farthest=True"):
        without.known_farthest()


def test_rows_that_all_are_equal_are_at_no_distance():
    got = nearest_neighbours(SquaredDistances(FeatureTable(np.full((9, 3), 7.0), "x"), "euclidean"), 3, farthest=True)
    assert got.index[5].tolist() == [5, 0, 1]
    assert not got.distance.any() and not got.farthest.any()


def test_more_ties_than_candidates_still_go_by_index():
    # 61 rows at one distance from each other, exactly so also in float32.
    got = nearest_neighbours(SquaredDistances(FeatureTable(np.eye(61), "x"), "euclidean"), 3)
    assert got.index[40].tolist() == [40, 0, 1] and got.index[0].tolist() == [0, 1, 2]
    assert (got.distance[:, 1:] == 2).all()


def plain_by_cosine(x, k):
    """All similarities in float64, sorted by (similarity falling, index rising), the row itself first."""
    x = x.astype(np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = np.round(x @ x.T, 12)
    keyed = similarity + 3 * np.eye(len(x))
    order = np.argsort(-keyed, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(similarity, order, axis=1)


@pytest.mark.parametrize("tile", [16, 48, 2048])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 30), (17, 5), (100, 100), (333, 30), (400, 1)])
def test_cosine_equals_a_full_sort(n, k, tile, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", tile)
    x = np.random.default_rng(n).standard_normal((n, 12)).astype(np.float32)
    indices, similarities = nearest_by_cosine(x, k)
    order, similarity = plain_by_cosine(x, k)
    assert indices.dtype == torch.int64 and similarities.dtype == torch.float32
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_allclose(similarities.numpy(), similarity, atol=1e-6)


@pytest.mark.parametrize("tile", [16, 2048])
def test_equal_rows_tie_by_index_after_the_row_itself(tile, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", tile)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((40, 40)).astype(np.float32)[generator.integers(40, size=150)]
    x[100:] = x[0]
    np.testing.assert_array_equal(nearest_by_cosine(x, 20)[0].numpy(), plain_by_cosine(x, 20)[0])


def test_cosine_of_rows_that_all_are_equal():
    indices, similarities = nearest_by_cosine(np.ones((50, 3)), 4)
    assert indices[0].tolist() == [0, 1, 2, 3]
    assert indices[2].tolist() == [2, 0, 1, 3]
    assert indices[40].tolist() == [40, 0, 1, 2]
    assert (similarities == 1).all()


def test_exact_ties_between_different_rows_go_by_index():
    # Every similarity but a row's own is exactly zero.
    indices, _ = nearest_by_cosine(np.eye(70), 5)
    assert indices[0].tolist() == [0, 1, 2, 3, 4]
    assert indices[3].tolist() == [3, 0, 1, 2, 4]
    assert indices[60].tolist() == [60, 0, 1, 2, 3]


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_products_are_exact_whatever_precision_the_run_allows(precision):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        x = np.random.default_rng(0).standard_normal((600, 256)).astype(np.float32)
        np.testing.assert_array_equal(nearest_by_cosine(x, 20)[0].numpy(), plain_by_cosine(x, 20)[0])
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
