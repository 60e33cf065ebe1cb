"""What every clustering of features does with features that cannot be clustered, and with very few."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidzoo.clustering import (
    ClusteringError,
    JaccardDBSCAN,
    KMeans,
    SelfPacedDBSCAN,
    jaccard_graph,
    kmeans,
    nearest_by_cosine,
)

FUNCTIONS = {
    "jaccard_graph": jaccard_graph,
    "nearest_by_cosine": lambda x: nearest_by_cosine(x, 3),
    "kmeans": lambda x: kmeans(x, 2),
    "KMeans": lambda x: KMeans(2).fit_predict(x),
    "JaccardDBSCAN": lambda x: JaccardDBSCAN().fit_predict(x),
    "SelfPacedDBSCAN": lambda x: SelfPacedDBSCAN().fit_predict(x),
}


def people(value=None):
    x = np.random.default_rng(0).standard_normal((6, 4))
    if value is not None:
        x[4, 1] = value
    return x


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300 * 1e10])
def test_nan_and_infinity(name, kind, value):
    with pytest.raises(ClusteringError, match="row 4 of 6"):
        FUNCTIONS[name](kind(people(value)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tensors_that_are_float64_by_default_change_nothing(name, float64_default):
    x = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    found = []
    for change in (lambda: None, float64_default):
        change()
        answer = FUNCTIONS[name](x)
        found.append([answer.toarray()] if name == "jaccard_graph" else answer if type(answer) is tuple else [answer])
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "features",
    [np.ones((0, 4)), np.ones((4, 0)), np.ones(4), [[1.0], [1.0, 2.0]], np.array([["a", "b"]]), np.ones((3, 2)) > 0],
)
def test_no_matrix_of_numbers(name, features):
    with pytest.raises(ClusteringError, match="features: expected"):
        FUNCTIONS[name](features)


@pytest.mark.parametrize("clusterer", [JaccardDBSCAN(), SelfPacedDBSCAN(), JaccardDBSCAN(min_samples=1), KMeans(1)])
def test_one_single_image(clusterer):
    alone = getattr(clusterer, "min_samples", 1) > 1
    assert clusterer.fit_predict([[0.5, 2.0]]).tolist() == [-1 if alone else 0]


@pytest.mark.parametrize("clusterer", [JaccardDBSCAN(), SelfPacedDBSCAN(), KMeans(1)])
def test_copies_of_one_image_are_one_cluster(clusterer):
    assert clusterer.fit_predict(np.tile(people()[:1], (40, 1))).tolist() == [0] * 40


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_no_number_of_neighbours(k):
    with pytest.raises(ClusteringError, match="k: expected a whole number"):
        nearest_by_cosine(people(), k)


def test_one_single_image_is_its_own_neighbour():
    indices, similarities = nearest_by_cosine([[3.0, 4.0]], 5)
    assert indices.tolist() == [[0]] and similarities.tolist() == [[1.0]]


@pytest.mark.filterwarnings("error")
def test_arrays_that_are_reversed_or_may_not_be_written(tmp_path):
    x = people()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for name, function in FUNCTIONS.items():
        if name.endswith("DBSCAN"):
            np.testing.assert_array_equal(function(mapped), function(x))
            np.testing.assert_array_equal(function(x[::-1]), function(x[::-1].copy()))
