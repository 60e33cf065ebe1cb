from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch
from scipy import sparse

from reidzoo.clustering import dbscan_radii, jaccard_graph
from reidzoo.clustering.jaccard import all_pairs, graph, near_pairs

DENSE = run_path(str(Path(__file__).parent.parent / "dense_reference.py"))
RADII = [0.4, 0.58, 0.6, 0.62]


def people(n, spread, seed=0, size=12, width=24):
    """Features of n images of n / size identities; ``spread`` 0.5 parts the identities well, 1.4 hardly."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((n // size + 1, width))
    scale = spread * np.exp(0.3 * generator.standard_normal((n, 1)))
    noise = scale * generator.standard_normal((n, width))
    return (centres[generator.integers(len(centres), size=n)] + noise).astype(np.float32)


def with_duplicates(x):
    """Let a fifth of the images be one, and a quarter be copies of others."""
    n = len(x)
    x[n // 2 : n // 2 + n // 4] = x[np.random.default_rng(1).integers(0, n // 2, n // 4)]
    x[-(n // 5) :] = x[3]
    return x


def as_dense(graph):
    dense = np.ones(graph.shape)
    dense[np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr)), graph.indices] = graph.data
    return dense


def check(x, k1, k2, count_self=True):
    """The graph and the labels at every radius equal those of the dense definition."""
    expected = DENSE["jaccard"](x, k1, k2, count_self)
    graph = jaccard_graph(x, k1, k2, count_self=count_self)
    assert isinstance(graph, sparse.csr_matrix) and graph.dtype == np.float32
    assert graph.has_canonical_format
    np.testing.assert_allclose(as_dense(graph), expected, atol=3e-7)
    assert (abs(graph - graph.T) > 0).nnz == 0
    assert (graph.diagonal() == 0).all() and graph.nnz >= len(x)
    near = jaccard_graph(x, k1, k2, 0.62, count_self)
    expected_near = np.where(expected.astype(np.float32) <= np.float32(0.62), expected, 1)
    np.testing.assert_allclose(as_dense(near), expected_near, atol=3e-7)
    assert near.has_canonical_format and (abs(near - near.T) > 0).nnz == 0
    for one, other in zip(dbscan_radii(near, RADII), dbscan_radii(graph, RADII)):
        np.testing.assert_array_equal(one, other)
    for eps, labels in zip(RADII, dbscan_radii(graph, RADII)):
        dense = DENSE["dbscan"](expected.astype(np.float32), np.float32(eps), 4)
        np.testing.assert_array_equal(labels, DENSE["renumber"](dense))


@pytest.mark.parametrize("duplicates", [False, True])
@pytest.mark.parametrize("spread", [0.5, 1.0, 1.4])
@pytest.mark.parametrize(("n", "k1", "k2"), [(50, 30, 6), (50, 10, 3), (300, 30, 6), (300, 10, 6), (300, 5, 1)])
def test_equals_the_dense_definition(n, k1, k2, spread, duplicates):
    x = people(n, spread, seed=n)
    check(with_duplicates(x) if duplicates else x, k1, k2)


@pytest.mark.parametrize(("k1", "spread", "count_self"), [(30, 1.0, True), (30, 0.6, False), (10, 1.2, True)])
def test_equals_the_dense_definition_at_a_thousand(k1, spread, count_self):
    check(people(1000, spread, seed=1), k1, 6, count_self)


def test_zhongs_slice_takes_one_neighbour_more():
    x = people(120, 0.8)
    check(x, 20, 6, count_self=False)
    assert (jaccard_graph(x, 20, count_self=False) != jaccard_graph(x, 20)).nnz > 0


@pytest.mark.parametrize("max_distance", [1.0, 0.9, 0.6])
def test_blocks_of_any_size_give_the_same_graph(max_distance, monkeypatch):
    x = people(300, 0.8)
    whole = jaccard_graph(x, 20, max_distance=max_distance)
    monkeypatch.setattr(graph, "ROWS", 7)
    monkeypatch.setattr(near_pairs, "ROWS", 7)
    monkeypatch.setattr(near_pairs, "PAIRS", 100)
    monkeypatch.setattr(all_pairs, "ENTRIES", 5000)
    parts = jaccard_graph(x, 20, max_distance=max_distance)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("max_distance", [0.01, 0.3, 0.6, 0.8, 0.81, 0.95])
def test_max_distance_only_leaves_out_farther_pairs(max_distance):
    x = with_duplicates(people(300, 0.8))
    whole = jaccard_graph(x, 20)
    near = jaccard_graph(x, 20, max_distance=max_distance)
    dense = as_dense(whole)
    dense[dense > np.float32(max_distance)] = 1
    np.testing.assert_allclose(as_dense(near), dense, atol=6e-8)
    assert near.data.max() <= np.float32(max_distance) and 300 <= near.nnz < whole.nnz
    assert near.max_distance == max_distance


def test_numpy_and_torch_and_any_scale_give_the_same_graph():
    x = people(200, 0.8)
    one = jaccard_graph(x)
    for other in (torch.from_numpy(x), x.astype(np.float64), np.asfortranarray(x), x * 4):
        assert (jaccard_graph(other) != one).nnz == 0


@pytest.mark.parametrize("n", [1, 2, 5, 29, 30, 31])
def test_fewer_images_than_neighbours(n):
    check(people(n, 0.7), 30, 6)


def test_one_image():
    graph = jaccard_graph(np.ones((1, 8)))
    assert graph.shape == (1, 1) and graph.nnz == 1 and graph[0, 0] == 0
    assert dbscan_radii(graph, RADII)[0].tolist() == [-1]


@pytest.mark.parametrize("n", [3, 4, 20, 30, 31, 200])
def test_images_that_are_all_the_same_are_one_cluster(n):
    x = np.tile(np.random.default_rng(0).standard_normal(16).astype(np.float32), (n, 1))
    check(x, 30, 6)
    labels = dbscan_radii(jaccard_graph(x), [0.6])[0]
    assert (labels == (0 if n >= 4 else -1)).all()


def test_a_distance_that_should_equal_eps_does():
    # Identical neighbourhoods up to a known share: seven equal weights, four in common, d = 0.6 exactly.
    m = 4 / 7
    assert np.float32(1 - m / (2 - m)) == np.float32(0.6)
    weights = np.zeros((8, 20))
    weights[0, :7] = weights[1, 3:10] = 1 / 7
    weights[2:, 19] = 1
    weights = sparse.csr_matrix(weights[:, np.r_[12:20, 0:12]][:, :20])
    square = sparse.vstack([weights, sparse.eye(20, format="csr")[8:]], format="csr")
    for max_distance in (1.0, 0.6):
        found = graph.distances(square, max_distance)
        assert found[0, 1] == np.float32(0.6)


@pytest.mark.parametrize("max_distance", [0.62, 1.0])
def test_too_many_images_that_share_a_neighbour(max_distance, monkeypatch):
    monkeypatch.setattr(graph, "MOST", 64)
    jaccard_graph(np.ones((64, 8)), max_distance=max_distance)
    with pytest.raises(ValueError, match="65 of 65 images share a neighbour"):
        jaccard_graph(np.ones((65, 8)), max_distance=max_distance)


@pytest.mark.parametrize(
    "settings",
    [
        {"k1": 0},
        {"k1": 30.5},
        {"k2": 0},
        {"k1": 5, "k2": 6},
        {"max_distance": 0.0},
        {"max_distance": 1.5},
        {"max_distance": np.nan},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(ValueError, match="expected"):
        jaccard_graph(people(40, 0.5), **settings)


def test_bad_features():
    x = people(40, 0.5)
    x[7, 3] = np.nan
    with pytest.raises(ValueError, match="row 7 of 40 holds a NaN"):
        jaccard_graph(x)


def peak_memory():
    """Return the largest resident memory of this process since the last reset, in bytes."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be reset on Linux alone")
def test_no_array_is_n_by_n():
    n = 20_000
    x = people(n, 0.6, size=20, width=32)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    graph = jaccard_graph(x, max_distance=0.62)
    assert graph.shape == (n, n) and graph.nnz < 100 * n
    assert peak_memory() - before < n * n  # bytes: not even one a pair
