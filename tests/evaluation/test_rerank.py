from __future__ import annotations

import numpy as np
import pytest

from reidzoo.evaluation import EvaluationInputError, KReciprocal, rerank_k_reciprocal
from reidzoo.neighbours import tiles
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable


def clustered(seed, num_query, num_gallery, dim=6):
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((6, dim))
    x = centres[rng.integers(0, 6, num_query + num_gallery)] + rng.standard_normal((num_query + num_gallery, dim))
    return x[:num_query].astype(np.float32), x[num_query:].astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k1,k2,lambda_", [(20, 6, 0.3), (7, 3, 0.0), (5, 1, 0.5), (1, 1, 0.3), (3, 9, 1.0)])
def test_equals_the_dense_definition(plain, metric, k1, k2, lambda_):
    for seed in range(3):
        q, g = clustered(seed, 9, 45)
        got = rerank_k_reciprocal(q, g, k1, k2, lambda_, metric=metric)
        assert got.dtype == np.float32 and got.shape == (9, 45)
        assert np.abs(got - plain.rerank(q, g, k1, k2, lambda_, metric)).max() < 1e-5


@pytest.mark.parametrize("num_query,num_gallery", [(1, 1), (2, 3), (4, 15)])
@pytest.mark.parametrize("k1,k2", [(20, 6), (19, 40), (100, 100)])
def test_lists_longer_than_the_gallery(plain, num_query, num_gallery, k1, k2):
    q, g = clustered(5, num_query, num_gallery)
    want = plain.rerank(q, g, k1, k2, 0.3, "euclidean")
    assert np.abs(rerank_k_reciprocal(q, g, k1, k2, metric="euclidean") - want).max() < 1e-5


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_duplicates_are_ordered_by_index(plain, metric):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        kinds = rng.standard_normal((4, 5)).astype(np.float32)
        q, g = kinds[rng.integers(0, 4, 6)], kinds[rng.integers(0, 4, 34)]
        want = plain.rerank(q, g, 5, 3, 0.3, metric)
        assert np.abs(rerank_k_reciprocal(q, g, 5, 3, metric=metric) - want).max() < 1e-5


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_all_images_alike(plain, metric):
    q, g = np.ones((3, 4), np.float32), np.ones((30, 4), np.float32)
    got = rerank_k_reciprocal(q, g, metric=metric)
    assert np.isfinite(got).all()
    assert np.abs(got - plain.rerank(q, g, 20, 6, 0.3, metric)).max() < 1e-5


def test_all_zero_features_are_alike_under_euclidean(plain):
    q, g = np.zeros((3, 4), np.float32), np.zeros((30, 4), np.float32)
    want = plain.rerank(q, g, 20, 6, 0.3, "euclidean")
    assert np.abs(rerank_k_reciprocal(q, g, metric="euclidean") - want).max() < 1e-5


def test_small_tiles_give_the_same(monkeypatch):
    q, g = clustered(8, 40, 260)
    duplicated = np.concatenate([g, g[:50]])
    want = rerank_k_reciprocal(q, duplicated)
    monkeypatch.setattr(tiles, "TILE", 64)
    assert np.abs(rerank_k_reciprocal(q, duplicated) - want).max() < 1e-5


def test_blocks_equal_the_whole():
    q, g = clustered(9, 150, 120)
    source = KReciprocal().distances(FeatureTable(q, "q"), FeatureTable(g, "g"))
    block = source.new_block()[:64]
    source.fill(100, block)
    assert np.array_equal(block[:50, :120].numpy(), rerank_k_reciprocal(q, g)[100:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1=0"),
        ({"k2": 0}, "k2=0"),
        ({"k1": 2.5}, "k1=2.5"),
        ({"k1": True}, "k1=True"),
        ({"lambda_": 1.5}, "lambda_=1.5"),
        ({"lambda_": float("nan")}, "lambda_"),
        ({"lambda_": "0.3"}, "lambda_='0.3'"),
        ({"lambda_": None}, "lambda_=None"),
        ({"metric": "l1"}, "metric='l1'"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(EvaluationInputError, match=message):
        rerank_k_reciprocal(np.ones((1, 2)), np.ones((3, 2)), **options)


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (np.full((1, 2), np.nan), np.ones((3, 2)), "query_features: row 0 holds NaN"),
        (np.ones((1, 2)), np.array([[1.0, 1], [1, -np.inf]]), "gallery_features: row 1 holds NaN or infinity"),
        (np.ones((0, 2)), np.ones((3, 2)), "query_features is empty"),
        (np.ones((1, 2)), np.zeros((3, 2)), "gallery_features: row 0 is all zeros"),
        (np.ones((1, 2)), np.ones((0, 2)), "gallery_features is empty"),
        (np.ones((1, 2)), np.ones((3, 5)), "not the same model"),
    ],
)
def test_bad_features_are_refused(query, gallery, message):
    with pytest.raises(ValueError, match=message):
        rerank_k_reciprocal(query, gallery)


def test_original_distances_are_what_lambda_one_leaves():
    q, g = clustered(2, 5, 40)
    tables = FeatureTable(q, "q"), FeatureTable(g, "g")
    source = FeatureDistances(*tables, "euclidean")
    block = source.new_block()
    source.fill(0, block)
    x = np.concatenate([q, g])
    largest = ((q[:, None] - x[None]) ** 2).sum(-1).max(1, keepdims=True)
    got = rerank_k_reciprocal(q, g, lambda_=1.0, metric="euclidean")
    assert np.abs(got - block[:5, :40].numpy() / largest).max() < 1e-6
