"""Eq. 1, which is a cross entropy, and Eq. 3."""

from __future__ import annotations

import math

import pytest
import torch
from view_adaptation import ViewConfusionLoss

from reidzoo.losses import LossSet

VIEWS = torch.tensor([0, 0, 0, 1, 1, 1])


def likelihoods(logits):
    """D_d(x), the probability of the probe's view."""
    return [math.exp(a) / (math.exp(a) + math.exp(b)) for a, b in logits.tolist()]


@pytest.fixture
def logits():
    return torch.randn(6, 2, generator=torch.manual_seed(0), dtype=torch.float64)


def test_equation_1_is_twice_the_cross_entropy_of_equally_many_views(logits):
    d = likelihoods(logits)
    expected = -sum(map(math.log, d[:3])) / 3 - sum(math.log(1 - p) for p in d[3:]) / 3
    node = {"type": "CrossEntropyLoss", "inputs": {"logits": "view_logits", "pid": "viewid"}, "weight": 2.0}
    found = LossSet({"view": node})({"view_logits": logits, "viewid": VIEWS})["view"]
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_equation_3(logits):
    costs = [-0.5 * math.log(d) - 0.5 * math.log(1 - d) for d in likelihoods(logits)]
    expected = sum(costs[:3]) / 3 + sum(costs[3:]) / 3
    assert ViewConfusionLoss()(logits, VIEWS).item() == pytest.approx(expected, rel=1e-12)
    few = torch.tensor([0, 1, 1, 1, 1, 1])  # each view has a mean of its own
    expected = costs[0] + sum(costs[1:]) / 5
    assert ViewConfusionLoss()(logits, few).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_and_minimum(logits):
    assert torch.autograd.gradcheck(lambda z: ViewConfusionLoss()(z, VIEWS), logits.requires_grad_())
    assert ViewConfusionLoss()(torch.zeros(6, 2), VIEWS).item() == pytest.approx(2 * math.log(2))


def test_it_pulls_where_the_discriminator_is_certain():
    logits = torch.tensor([[40.0, -40.0], [-40.0, 40.0]], requires_grad=True)
    ViewConfusionLoss()(logits, torch.tensor([0, 1])).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().min() > 0.4
