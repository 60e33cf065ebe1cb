from __future__ import annotations

import numpy as np
import torch

from reidzoo.reporting.confusions import confusions


def directions(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1).float()


def find(retrieval, count=9):
    return confusions(retrieval.lists, retrieval.query_pids, retrieval.gallery_pids, count)


def test_pairs_are_counted_both_ways_and_add_up_to_what_rank_1_lacks(make_retrieval):
    rng = np.random.default_rng(4)
    query = [(int(p), 0) for p in rng.integers(1, 6, 40)]
    gallery = [(int(p), 1) for p in rng.integers(1, 7, 60)]
    retrieval = make_retrieval(query, gallery, seed=1)
    pairs = find(retrieval, 100)
    assert sum(pair.mistakes for pair in pairs) == retrieval.lists.missed.sum() > 10
    assert sum(pair.mistakes for pair in pairs) / 40 == 1 - retrieval.result.cmc[0]
    for pair in pairs:
        queried = [p for p, _ in query]
        assert pair.total == sum(queried.count(pid) for pid in pair.pids) and pair.pids[0] < pair.pids[1]
        for row in pair.queries:
            other = retrieval.gallery_pids[retrieval.lists.other[row]]
            assert sorted((queried[row], other)) == list(pair.pids)
    order = [(-pair.mistakes, -pair.margin) for pair in pairs]
    assert order == sorted(order)


def test_without_a_mistake_the_nearest_to_one_comes_first(make_retrieval):
    retrieval = make_retrieval(
        [(1, 0), (2, 0), (3, 0)], [(1, 1), (2, 1), (3, 1)], q=directions(0, 30, 90), g=directions(1, 31, 91)
    )
    pairs = find(retrieval)
    assert [pair.mistakes for pair in pairs] == [0] * len(pairs)
    assert pairs[0].pids == (1, 2) and pairs[0].margin < 0


def test_distractors_make_no_pair_unless_somebody_looks_for_identity_0(make_retrieval):
    sides = [(1, 0), (2, 0)], [(0, 1), (1, 1), (2, 1)]
    features = {"q": directions(0, 50), "g": directions(1, 20, 55)}
    retrieval = make_retrieval(*sides, **features)
    assert retrieval.lists.missed.tolist() == [True, False]
    assert all(0 not in pair.pids for pair in find(retrieval))
    real = make_retrieval([(0, 0), (1, 0)], [(0, 1), (1, 1), (0, 1)], q=directions(0, 50), g=directions(5, 90, 55))
    assert find(real)[0].pids == (0, 1)


def test_nobody_to_be_taken_for(make_retrieval):
    assert find(make_retrieval([(1, 0)], [(1, 1)])) == []
