from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import SoftTripletLoss, TripletLoss


def opinion(features, anchor, positive, negative):
    """T of one triplet."""
    near, far = (max(math.dist(features[anchor], features[j]), 1e-6) for j in (positive, negative))
    return math.exp(far) / (math.exp(near) + math.exp(far))


def plain(feat, teacher, pid):
    """The loss, anchor by anchor; an identity's only image is its own positive, and no negative costs nothing."""
    costs = []
    for i in range(len(feat)):
        distance = [math.dist(feat[i], feat[j]) for j in range(len(feat))]
        positives = [j for j in range(len(feat)) if pid[j] == pid[i] and j != i] or [i]
        negatives = [j for j in range(len(feat)) if pid[j] != pid[i]]
        if not negatives:
            costs.append(0.0)
            continue
        triplet = i, max(positives, key=distance.__getitem__), min(negatives, key=distance.__getitem__)
        own, taught = opinion(feat, *triplet), opinion(teacher, *triplet)
        costs.append(-taught * math.log(own) - (1 - taught) * math.log(1 - own))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("pid", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 3], [3, 1, 3, 1, 3, 0], [0] * 6])
def test_equals_the_formula(pid):
    feat, teacher = (torch.randn(6, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss, labels = SoftTripletLoss(), torch.tensor(pid)
    value = loss(feat, teacher, labels)
    assert value.item() == pytest.approx(plain(feat.tolist(), teacher.tolist(), pid), rel=1e-10, abs=1e-12)
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher.detach(), labels), feat)
    assert torch.autograd.grad(value, teacher, allow_unused=True) == (None,)


def test_a_certain_teacher_gives_the_soft_margin_triplet_loss():
    feat, pid = torch.randn(8, 3), torch.arange(8) // 2
    teacher = 1e4 * torch.nn.functional.one_hot(pid).float()
    assert SoftTripletLoss()(feat, teacher, pid).item() == pytest.approx(TripletLoss()(feat, pid).item(), rel=1e-6)


def test_distant_features_stay_finite():
    feat = (1e4 * torch.randn(6, 3)).requires_grad_()
    loss = SoftTripletLoss()(feat, 1e4 * torch.randn(6, 3), torch.arange(6) // 2)
    loss.backward()
    assert loss.isfinite() and feat.grad.isfinite().all()


def test_parts_are_added_up():
    feat, teacher, pid = torch.randn(6, 2, 4), torch.randn(6, 2, 5), torch.arange(6) // 2
    loss = SoftTripletLoss()
    wanted = loss(feat[:, 0], teacher[:, 0], pid) + loss(feat[:, 1], teacher[:, 1], pid)
    torch.testing.assert_close(loss(feat, teacher, pid), wanted)
