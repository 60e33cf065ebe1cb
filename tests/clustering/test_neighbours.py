from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.clustering import nearest_neighbours
from reidzoo.neighbours import tiles


def plain(x, k):
    """All similarities in float64, sorted by (similarity falling, index rising), the row itself first."""
    x = x.astype(np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = np.round(x @ x.T, 12)
    keyed = similarity + 3 * np.eye(len(x))
    order = np.argsort(-keyed, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(similarity, order, axis=1)


@pytest.mark.parametrize("tile", [16, 48, 2048])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 30), (17, 5), (100, 100), (333, 30), (400, 1)])
def test_equals_a_full_sort(n, k, tile, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", tile)
    x = np.random.default_rng(n).standard_normal((n, 12)).astype(np.float32)
    indices, similarities = nearest_neighbours(x, k)
    order, similarity = plain(x, k)
    assert indices.dtype == torch.int64 and similarities.dtype == torch.float32
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_allclose(similarities.numpy(), similarity, atol=1e-6)


@pytest.mark.parametrize("tile", [16, 2048])
def test_equal_rows_tie_by_index_after_the_row_itself(tile, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", tile)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((40, 40)).astype(np.float32)[generator.integers(40, size=150)]
    x[100:] = x[0]
    np.testing.assert_array_equal(nearest_neighbours(x, 20)[0].numpy(), plain(x, 20)[0])


def test_all_rows_equal():
    indices, similarities = nearest_neighbours(np.ones((50, 3)), 4)
    assert indices[0].tolist() == [0, 1, 2, 3]
    assert indices[2].tolist() == [2, 0, 1, 3]
    assert indices[40].tolist() == [40, 0, 1, 2]
    assert (similarities == 1).all()


def test_exact_ties_between_different_rows_go_by_index():
    # Every similarity but a row's own is exactly zero.
    indices, _ = nearest_neighbours(np.eye(70), 5)
    assert indices[0].tolist() == [0, 1, 2, 3, 4]
    assert indices[3].tolist() == [3, 0, 1, 2, 4]
    assert indices[60].tolist() == [60, 0, 1, 2, 3]


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_products_are_exact_whatever_precision_the_run_allows(precision):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        x = np.random.default_rng(0).standard_normal((600, 256)).astype(np.float32)
        np.testing.assert_array_equal(nearest_neighbours(x, 20)[0].numpy(), plain(x, 20)[0])
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
