from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from reidzoo.clustering.jaccard import all_pairs
from reidzoo.clustering.jaccard.all_pairs import SplitTree


def random_weights(n, density, seed, ties):
    generator = np.random.default_rng(seed)
    dense = generator.random((n, n)) * (generator.random((n, n)) < density) + np.eye(n) * 0.1
    if ties:
        dense = np.ceil(dense * 3) / 3
    return dense / dense.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("entries", [64, 1 << 24])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "density"), [(1, 0.0), (2, 1.0), (7, 1.0), (40, 0.0), (40, 0.2), (65, 1.0)])
def test_sums_of_minima(n, density, ties, entries, monkeypatch):
    monkeypatch.setattr(all_pairs, "ENTRIES", entries)
    monkeypatch.setattr(all_pairs, "PART", 50)
    weights = random_weights(n, density, n, ties)
    tree = SplitTree(sparse.csr_matrix(weights))
    total = np.zeros((n, n))
    for block in tree.blocks():
        lists = tree.lists(block)
        for start in range(0, n, 9):
            rows = slice(start, min(start + 9, n))
            total[rows] += tree.sums(rows, lists).toarray()
    expected = np.minimum(weights[:, None], weights[None]).sum(axis=2)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(total, expected, atol=1e-14)
    assert (total == total.T).all()  # bit by bit


def test_blocks_cover_the_rows_and_hold_the_lists_to_their_size(monkeypatch):
    monkeypatch.setattr(all_pairs, "ENTRIES", 2000)
    tree = SplitTree(sparse.csr_matrix(random_weights(100, 0.3, 0, False)))
    blocks = list(tree.blocks())
    assert [block.start for block in blocks[1:]] == [block.stop for block in blocks[:-1]]
    assert (blocks[0].start, blocks[-1].stop) == (0, 100)
    assert max(tree.lists(block).nnz for block in blocks) < 2 * 2000
