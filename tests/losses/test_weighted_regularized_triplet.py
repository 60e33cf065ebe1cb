from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import WeightedRegularizedTripletLoss


def weighted(distances, sign):
    weights = [math.exp(sign * distance) for distance in distances]
    return sum(w * d for w, d in zip(weights, distances)) / sum(weights)


def plain(feat, pid, others, other_pid):
    """AGW's formula, anchor by anchor; ``others`` None: within the batch, an image among its own positives."""
    costs = []
    for i in range(len(feat)):
        distance = [max(math.dist(feat[i], other), 1e-6) for other in (feat if others is None else others)]
        same = [identity == pid[i] for identity in (pid if others is None else other_pid)]
        positives = [d for d, s in zip(distance, same) if s]
        negatives = [d for d, s in zip(distance, same) if not s]
        if positives and negatives:
            costs.append(math.log1p(math.exp(weighted(positives, 1) - weighted(negatives, -1))))
        else:
            costs.append(0.0)
    return sum(costs) / len(costs)


@pytest.mark.parametrize("pid", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 3], [0] * 6, [0, 1, 2, 3, 4, 5]])
def test_equals_the_formula(pid):
    feat = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    loss, labels = WeightedRegularizedTripletLoss(), torch.tensor(pid)
    assert loss(feat, labels).item() == pytest.approx(plain(feat.tolist(), pid, None, None), rel=1e-9)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), feat)
    others, other_pid = torch.randn(5, 4).double(), [0, 1, 1, 7, 7]
    value = loss(feat, labels, others, torch.tensor(other_pid)).item()
    assert value == pytest.approx(plain(feat.tolist(), pid, others.tolist(), other_pid), rel=1e-9)


def test_rounding_does_not_move_an_image_away_from_itself():
    """Far from their mean, which lies between the two groups, float32 puts features up to 0.05 from themselves."""
    grid = torch.cartesian_prod(*[torch.tensor([0.0, 2.0])] * 3)
    feat, pid = torch.cat([grid + 100.1, grid - 100.2]), torch.arange(16)
    assert WeightedRegularizedTripletLoss()(feat, pid).item() == pytest.approx(
        plain(feat.double().tolist(), pid.tolist(), None, None), abs=3e-4
    )


def test_coinciding_and_distant_features_have_finite_gradients():
    for feat in (torch.ones(4, 3, requires_grad=True), (1e4 * torch.randn(4, 3)).requires_grad_()):
        loss = WeightedRegularizedTripletLoss()(feat, torch.tensor([0, 0, 1, 1]))
        loss.backward()
        assert loss.isfinite() and feat.grad.isfinite().all()


def test_parts_are_added_up():
    parts, pid, loss = torch.randn(6, 2, 4), torch.arange(6) // 2, WeightedRegularizedTripletLoss()
    torch.testing.assert_close(loss(parts, pid), loss(parts[:, 0], pid) + loss(parts[:, 1], pid))
