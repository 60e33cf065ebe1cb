from __future__ import annotations

import numpy as np
import pytest
import torch
from mmt.adaptive_dbscan import mean_of_smallest
from scipy import sparse

from reidzoo.clustering import ClusteringError, dbscan, jaccard_graph
from reidzoo.registry import CLUSTERER


def groups(seed=0, number=8, size=6):
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(number, 16)), size, axis=0)
    return torch.from_numpy(centres + 0.3 * rng.normal(size=centres.shape)).float()


def plain_eps(graph, share):
    """The mean of the smallest share of the non-zero entries above the diagonal of the dense matrix."""
    dense = np.ones(graph.shape)
    stored = graph.tocoo()
    dense[stored.row, stored.col] = stored.data
    pairs = [dense[i, j] for i in range(len(dense)) for j in range(i + 1, len(dense)) if dense[i, j] > 0]
    return np.mean(sorted(pairs)[: round(share * len(pairs))])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.9])
def test_eps_is_the_mean_of_the_smallest_distances(share):
    graph = jaccard_graph(groups(), k1=5, k2=2, count_self=False)
    assert mean_of_smallest(graph, share) == pytest.approx(plain_eps(graph, share), rel=1e-6)


def test_zero_distances_are_not_counted():
    pairs = sparse.csr_matrix(([0.5, 0.25, 0.0], ([0, 0, 1], [1, 2, 2])), shape=(3, 3))  # the zero is stored: copies
    assert pairs.nnz == 3
    assert mean_of_smallest(pairs, 0.5) == 0.25


def test_eps_is_fixed_by_the_first_call_and_saved():
    clusterer = CLUSTERER.build({"type": "AdaptiveDBSCAN", "k1": 5, "k2": 2, "share": 0.1, "min_samples": 3})
    assert clusterer.state_dict() == {"eps": None}
    labels = clusterer.fit_predict(groups())
    graph = jaccard_graph(groups(), k1=5, k2=2, count_self=False)
    np.testing.assert_array_equal(labels, dbscan(graph, clusterer.eps, 3))
    assert labels.max() > 0

    other = CLUSTERER.build({"type": "AdaptiveDBSCAN", "k1": 5, "k2": 2, "share": 0.1, "min_samples": 3})
    other.load_state_dict(clusterer.state_dict())
    assert other.eps == clusterer.eps
    np.testing.assert_array_equal(other.fit_predict(groups(1)), clusterer.fit_predict(groups(1)))
    assert other.eps == clusterer.eps


@pytest.mark.parametrize("share", [0, 1.5])
def test_wrong_share(share):
    with pytest.raises(ClusteringError, match="share"):
        CLUSTERER.build({"type": "AdaptiveDBSCAN", "share": share})


def test_no_radius():
    clusterer = CLUSTERER.build({"type": "AdaptiveDBSCAN", "k1": 2, "k2": 1, "share": 1e-6})
    with pytest.raises(ClusteringError, match="another share"):
        clusterer.fit_predict(groups())
