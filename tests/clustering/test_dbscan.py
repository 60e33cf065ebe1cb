from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from scipy import sparse
from sklearn import cluster

from reidzoo.clustering import dbscan, dbscan_radii, number_by_first

DENSE = run_path(str(Path(__file__).with_name("dense_reference.py")))


def graph_of(distance, below=1.0):
    """Store the entries of ``distance`` below a bound, zeros included."""
    row, column = np.nonzero(distance < below)
    return sparse.csr_matrix((distance[row, column], (row, column)), shape=distance.shape)


def random_distances(n, seed, decimals=2):
    generator = np.random.default_rng(seed)
    points = generator.random((n, 2)) * 3
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    return np.round(distance, decimals).astype(np.float32)


@pytest.mark.parametrize("min_samples", [1, 2, 4, 7])
@pytest.mark.parametrize("n", [1, 5, 60, 250])
def test_equals_the_walk_over_a_matrix(n, min_samples):
    for seed in range(8):
        distance = random_distances(n, seed)
        radii = [0.05, 0.1, 0.2, 0.3, 0.2]
        for eps, labels in zip(radii, dbscan_radii(graph_of(distance), radii, min_samples)):
            expected = DENSE["dbscan"](distance, np.float32(eps), min_samples)
            assert labels.dtype == np.int64
            np.testing.assert_array_equal(labels, DENSE["renumber"](expected))
            np.testing.assert_array_equal(labels, dbscan(graph_of(distance), eps, min_samples))


def test_a_radius_given_twice_gives_two_arrays():
    first, second = dbscan_radii(graph_of(random_distances(20, 0)), [0.3, 0.3])
    first[:] = 9
    assert (second < 9).all()


def test_equals_scikit_learn():
    for seed in range(5):
        distance = random_distances(300, seed)
        expected = cluster.DBSCAN(eps=np.float32(0.15), min_samples=4, metric="precomputed").fit_predict(distance)
        np.testing.assert_array_equal(dbscan(graph_of(distance), 0.15), number_by_first(expected))


def test_a_border_node_joins_the_cluster_whose_core_comes_first():
    # Node 0 is near one core node of each of two clusters, and is no core node itself.
    distance = np.ones((9, 9))
    np.fill_diagonal(distance, 0)
    for group in ([5, 6, 7, 8], [1, 2, 3, 4]):
        distance[np.ix_(group, group)] *= 0.1
    distance[0, 8] = distance[8, 0] = distance[0, 4] = distance[4, 0] = 0.1
    assert dbscan(graph_of(distance), 0.5, 4).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_clusters_are_numbered_by_their_first_member_also_when_that_is_no_core_node():
    # Cores 1-4 come before cores 5-8, but border node 0 is the first of all and belongs to the latter.
    distance = np.ones((9, 9))
    np.fill_diagonal(distance, 0)
    for group in ([5, 6, 7, 8], [1, 2, 3, 4]):
        distance[np.ix_(group, group)] *= 0.1
    distance[0, 8] = distance[8, 0] = 0.1
    assert dbscan(graph_of(distance), 0.5, 4).tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0]


def test_distance_zero_and_a_missing_diagonal():
    zeros = np.zeros((5, 5))
    assert dbscan(graph_of(zeros), 0.5, 5).tolist() == [0] * 5
    assert dbscan(graph_of(zeros + np.eye(5)), 0.5, 5).tolist() == [0] * 5
    assert dbscan(graph_of(zeros), 0.5, 6).tolist() == [-1] * 5


def test_no_entries_and_every_node_an_outlier():
    assert dbscan(sparse.csr_matrix((4, 4), dtype=np.float32)).tolist() == [-1] * 4
    assert dbscan(sparse.csr_matrix((4, 4)), min_samples=1).tolist() == [0, 1, 2, 3]


def test_the_graph_is_left_alone():
    graph = graph_of(random_distances(50, 0))
    before = graph.copy()
    dbscan_radii(graph, [0.2, 0.1])
    np.testing.assert_array_equal(graph.data, before.data)
    np.testing.assert_array_equal(graph.indices, before.indices)


@pytest.mark.parametrize("eps", [0, -0.1, 1.0, 2, np.nan, "0.5", None])
def test_radius_out_of_range(eps):
    with pytest.raises(ValueError, match="eps"):
        dbscan(graph_of(random_distances(5, 0)), eps)


def test_a_radius_beyond_the_reach_of_the_graph():
    graph = graph_of(random_distances(5, 0))
    graph.max_distance = 0.5
    dbscan(graph, 0.5)
    with pytest.raises(ValueError, match=r"within the graph's reach of 0\.5; got 0\.6"):
        dbscan(graph, 0.6)


def test_bad_graphs():
    good = graph_of(random_distances(6, 0))
    for bad in (good.toarray(), good[:4], sparse.csr_matrix((0, 0))):
        with pytest.raises(ValueError, match="square sparse matrix"):
            dbscan(bad)
    for value in (np.nan, np.inf, -0.1):
        bad = good.copy()
        bad.data[2] = value
        with pytest.raises(ValueError, match="NaN, infinite or negative"):
            dbscan(bad)
    with pytest.raises(ValueError, match="not symmetric"):
        dbscan(sparse.csr_matrix(([0.1], ([0], [1])), shape=(3, 3)))
    with pytest.raises(ValueError, match="not symmetric"):  # a ring, whose rows and columns are of one length
        dbscan(sparse.csr_matrix(([0.1] * 3, ([0, 1, 2], [1, 2, 0])), shape=(3, 3)))
    for value in (0, 2.5, np.nan):
        with pytest.raises(ValueError, match="min_samples: expected a whole number"):
            dbscan(good, min_samples=value)


def test_number_by_first():
    assert number_by_first(np.array([7, -1, 2, 7, -3, 0, 2])).tolist() == [0, -1, 1, 0, -1, 2, 1]
    assert number_by_first(np.array([-1, -1])).tolist() == [-1, -1]
    assert number_by_first(np.array([], dtype=int)).tolist() == []
    for bad in (np.array([0.5, 1.0]), np.array([[0]])):
        with pytest.raises(ValueError, match="labels: expected integers"):
            number_by_first(bad)
