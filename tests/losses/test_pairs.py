from __future__ import annotations

import pytest
import torch

from reidzoo.losses import CircleLoss, ContrastiveLoss, TripletLoss, WeightedRegularizedTripletLoss
from reidzoo.losses.pairs import find_pairs


def test_pairs_within_a_batch_and_with_others():
    feat, pid = torch.randn(3, 2), torch.tensor([0, 0, 1])
    within = find_pairs(feat, pid, None, None)
    assert within.other is feat
    assert within.same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    assert within.alike.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    others = find_pairs(feat, pid, feat[:2], torch.tensor([1, 0]))
    assert others.same.tolist() == others.alike.tolist() == [[False, True], [False, True], [True, False]]


@pytest.mark.parametrize("loss", [CircleLoss, ContrastiveLoss, TripletLoss, WeightedRegularizedTripletLoss])
def test_other_features_without_identities_are_refused_and_so_are_identities_without_features(loss):
    feat, pid = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    for other in ({"other_feat": feat}, {"other_pid": pid}):
        with pytest.raises(ValueError, match="other_pid"):
            loss()(feat, pid, **other)


def test_an_image_without_an_identity_is_refused_on_either_side():
    feat, pid, unknown = torch.randn(2, 3), torch.tensor([0, 1]), torch.tensor([0, -1])
    for sides in ((unknown, None), (unknown, pid), (pid, unknown)):
        with pytest.raises(ValueError, match="labels must be at least 0"):
            find_pairs(feat, sides[0], None if sides[1] is None else feat, sides[1])
