from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import CircleLoss

PID = torch.tensor([0, 0, 0, 1, 1, 2])


def plain(feat, pid, others, other_pid, margin, scale, weighed=None):
    """Eq. 6, anchor by anchor; the weights are those of the features ``weighed``. ``others`` None: within the batch."""
    within = others is None
    others, other_pid = (feat, pid) if within else (others, other_pid)
    fixed = feat if weighed is None else weighed
    costs = []
    for a, own in enumerate(pid.tolist()):
        pull = push = 0.0
        for b, identity in enumerate(other_pid.tolist()):
            other, still = others[b], fixed[b] if within else others[b]
            s = torch.cosine_similarity(feat[a], other, dim=0).item()
            t = torch.cosine_similarity(fixed[a], still, dim=0).item()
            if identity != own:
                push += math.exp(scale * max(0, t + margin) * (s - margin))
            elif not within or a != b:
                pull += math.exp(-scale * max(0, 1 + margin - t) * (s - 1 + margin))
        costs.append(math.log(1 + pull * push))
    return sum(costs) / len(costs)


@pytest.fixture
def feat():
    return torch.randn(6, 4, dtype=torch.float64)


@pytest.mark.parametrize(("margin", "scale"), [(0.25, 64.0), (0.4, 8.0), (0.0, 1.0)])
def test_equation_6(feat, margin, scale):
    loss, others, other_pid = CircleLoss(margin, scale), torch.randn(4, 4).double(), torch.tensor([0, 1, 3, 3])
    assert loss(feat, PID).item() == pytest.approx(plain(feat, PID, None, None, margin, scale), rel=1e-10)
    value = loss(feat, PID, others, other_pid).item()
    assert value == pytest.approx(plain(feat, PID, others, other_pid, margin, scale), rel=1e-10)


def test_gradient_with_the_weights_standing_still(feat):
    given = feat.clone().requires_grad_()
    CircleLoss(0.25, 4.0)(given, PID).backward()
    for i, j in [(0, 0), (1, 3), (3, 2), (5, 1)]:
        ends = []
        for step in (1e-5, -1e-5):
            moved = feat.clone()
            moved[i, j] += step
            ends.append(plain(moved, PID, None, None, 0.25, 4.0, weighed=feat))
        assert given.grad[i, j].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("pid", [[0] * 6, [0, 1, 2, 3, 4, 5]], ids=["no negative", "no positive"])
def test_an_anchor_without_a_pair_costs_nothing(feat, pid):
    given = feat.float().requires_grad_()
    loss = CircleLoss()(given, torch.tensor(pid))
    loss.backward()
    assert loss.item() == 0 and torch.equal(given.grad, torch.zeros_like(given))


def test_parts_are_added_up():
    parts, loss = torch.randn(6, 2, 4), CircleLoss()
    torch.testing.assert_close(loss(parts, PID), loss(parts[:, 0], PID) + loss(parts[:, 1], PID))


@pytest.mark.parametrize("arguments", [{"margin": 1.0}, {"scale": 0.0}])
def test_mistakes_are_named(arguments):
    with pytest.raises(ConfigError, match="CircleLoss"):
        CircleLoss(**arguments)


def test_others_without_identities():
    with pytest.raises(ValueError, match="other_pid"):
        CircleLoss()(torch.randn(6, 4), PID, torch.randn(2, 4))
