from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from reidzoo.clustering.jaccard.near_pairs import heaviest, near_pairs


def random_weights(n, density, seed):
    generator = np.random.default_rng(seed)
    dense = generator.random((n, n)) ** 3 * (generator.random((n, n)) < density) + np.eye(n) * 0.1
    return dense / dense.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("least", [0.05, 0.3, 0.55, 0.9])
@pytest.mark.parametrize(("n", "density"), [(1, 0.0), (2, 1.0), (30, 0.0), (200, 0.1), (200, 1.0)])
def test_finds_every_near_pair(n, density, least):
    weights = random_weights(n, density, n)
    weights[: n // 4] = weights[n // 4 : 2 * (n // 4)]  # some pairs are very near
    with ThreadPoolExecutor(2) as pool:
        i, j, sums = near_pairs(sparse.csr_matrix(weights), least, pool)
    expected = np.triu(np.minimum(weights[:, None], weights[None]).sum(axis=2), 1)
    found = np.zeros((n, n))
    found[i, j] = sums
    assert (i < j).all() and len(i) == np.count_nonzero(found)
    np.testing.assert_allclose(found, np.where(expected >= least, expected, 0), atol=1e-14)


def test_heaviest_takes_the_largest_until_the_share_is_reached():
    weights = sparse.csr_matrix(np.array([[0.1, 0.4, 0.2, 0.3], [0, 1, 0, 0], [0.25, 0.25, 0.25, 0.25]]))
    heavy = heaviest(weights, 0.65)
    assert heavy.toarray()[:2].tolist() == [[0, 0.4, 0, 0.3], [0, 1, 0, 0]]
    assert np.diff(heavy.indptr).tolist() == [2, 1, 3]
