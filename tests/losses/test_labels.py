from __future__ import annotations

import pytest
import torch

from reidzoo.losses import (
    CenterLoss,
    CircleLoss,
    ContrastiveLoss,
    CrossBatchMemoryLoss,
    LearntCenterLoss,
    TripletLoss,
    WeightedRegularizedTripletLoss,
)
from reidzoo.losses.labels import check_labels

LOSSES = [
    *(TripletLoss(), ContrastiveLoss(), CircleLoss(), WeightedRegularizedTripletLoss(), CenterLoss(5, 3).eval()),
    *(LearntCenterLoss(5, 3), CrossBatchMemoryLoss({"type": "ContrastiveLoss"}, 3)),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_people_without_a_label_are_not_one_person(loss):
    pid = torch.tensor([-1, 0, -1, 4])
    with pytest.raises(ValueError, match="from -1 to 4"):
        loss(torch.randn(4, 3), pid)
    assert loss(torch.randn(4, 3), pid.abs()).isfinite()


def test_contrastive_loss_looks_at_both_sides():
    feat, pid = torch.randn(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="at least 0"):
        ContrastiveLoss()(feat, pid, feat, torch.tensor([1, -1]))


def test_classes_have_an_end_and_identities_have_none():
    check_labels(torch.tensor([0, 10**9]))
    check_labels(torch.tensor([], dtype=torch.int64), 3)
    with pytest.raises(ValueError, match=r"in \[0, 3\), got values from 0 to 3"):
        check_labels(torch.tensor([0, 3]), 3)
