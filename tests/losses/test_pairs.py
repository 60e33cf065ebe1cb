from __future__ import annotations

import torch

from reidzoo.losses.pairs import find_pairs


def test_pairs_within_a_batch_and_with_others():
    feat, pid = torch.randn(3, 2), torch.tensor([0, 0, 1])
    within = find_pairs(feat, pid, None, None)
    assert within.other is feat
    assert within.same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    assert within.alike.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    others = find_pairs(feat, pid, feat[:2], torch.tensor([1, 0]))
    assert others.same.tolist() == others.alike.tolist() == [[False, True], [False, True], [True, False]]
