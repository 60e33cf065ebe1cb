from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import CenterLoss


def plain_centers(centers, feat, pid, alpha):
    """Wen et al. Eq. 4, class by class."""
    moved = centers.clone()
    for j in range(len(centers)):
        rows = [x for x, y in zip(feat, pid.tolist()) if y == j]
        moved[j] -= alpha * sum((centers[j] - x for x in rows), torch.zeros_like(centers[j])) / (1 + len(rows))
    return moved


def test_equals_the_formula_and_moves_the_centers():
    loss = CenterLoss(4, 3, alpha=0.3).double()
    loss.centers.copy_(torch.randn(4, 3))
    feat, pid = torch.randn(6, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0, 2, 2, 1, 0, 0])
    before = loss.centers.clone()
    wanted = sum((x - before[y]).square().sum() / 2 for x, y in zip(feat.detach(), pid)) / 6
    assert loss(feat, pid).item() == pytest.approx(wanted.item(), rel=1e-12)
    torch.testing.assert_close(loss.centers, plain_centers(before, feat.detach(), pid, 0.3))
    assert torch.equal(loss.centers[3], before[3])


def test_gradient():
    loss = CenterLoss(4, 3, alpha=0.0).double()
    loss.centers.copy_(torch.randn(4, 3))
    feat, pid = torch.randn(6, 3, dtype=torch.float64, requires_grad=True), torch.arange(6) % 4
    assert torch.autograd.gradcheck(lambda values: loss(values, pid), feat)
    (grad,) = torch.autograd.grad(loss(feat, pid), feat)
    torch.testing.assert_close(grad, (feat.detach() - loss.centers[pid]) / 6)


def test_its_minimum_is_at_the_centers_which_stay_in_evaluation():
    loss = CenterLoss(2, 3).eval()
    loss.centers.copy_(torch.randn(2, 3))
    before = loss.centers.clone()
    assert loss(before[[0, 1, 1]], torch.tensor([0, 1, 1])) == 0
    assert loss(before[[0, 1, 1]] + 1, torch.tensor([0, 1, 1])) > 0
    assert torch.equal(loss.centers, before)
    assert "centers" in loss.state_dict() and not list(loss.parameters())


def test_mistakes():
    with pytest.raises(ConfigError, match="dim is 3"):
        CenterLoss(2, 3)(torch.zeros(1, 4), torch.tensor([0]))
    with pytest.raises(ConfigError, match="alpha"):
        CenterLoss(2, 3, alpha=2)
