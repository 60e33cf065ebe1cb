from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import MMDLoss


def plain(source, target, sigmas):
    """Gretton et al., Eq. 5, pair by pair."""

    def kernel(first, second):
        values = [
            sum(math.exp(-(math.dist(a, b) ** 2) / (2 * sigma**2)) for sigma in sigmas) for a in first for b in second
        ]
        return sum(values) / len(values)

    return kernel(source, source) + kernel(target, target) - 2 * kernel(source, target)


@pytest.mark.parametrize("root", [False, True])
def test_equals_the_formula(root):
    source = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = (torch.randn(5, 3, dtype=torch.float64) + 1).requires_grad_()
    loss, expected = MMDLoss(root=root), plain(source.tolist(), target.tolist(), (1, 2, 10))
    assert loss(source, target).item() == pytest.approx(expected**0.5 if root else expected, rel=1e-9)
    assert torch.autograd.gradcheck(loss, (source, target))


def test_equal_domains_cost_nothing():
    feat = torch.randn(6, 4)
    assert MMDLoss()(feat, feat.flip(0)).item() == pytest.approx(0, abs=1e-5)


def test_the_gradient_of_the_codes_root_does_not_fall_as_domains_come_to_agree():
    def gradient(root, shift):
        source = torch.randn(6, 4, dtype=torch.float64, generator=torch.manual_seed(1)).requires_grad_()
        loss = MMDLoss(root=root)(source, source.detach() + shift)
        return torch.autograd.grad(loss, source)[0].norm().item()

    assert gradient(False, 1e-4) == pytest.approx(gradient(False, 1e-2) / 100, rel=0.1)
    assert gradient(True, 1e-4) == pytest.approx(gradient(True, 1e-2), rel=0.1)
    for root in (False, True):
        assert math.isfinite(gradient(root, 0.0))
