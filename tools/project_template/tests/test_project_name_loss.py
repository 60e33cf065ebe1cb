"""ProjectName's loss against its formula, written out plainly."""

from __future__ import annotations

import math

import pytest
import torch
from project_name import ProjectNameLoss

from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet
from reidzoo.testing import check_loss

PID = torch.tensor([0, 0, 0, 1, 1, 2])


@pytest.fixture
def feat():
    return torch.randn(6, 4, generator=torch.manual_seed(0), dtype=torch.float64)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.dist(a, [0] * len(a)) / math.dist(b, [0] * len(b))


def transcription(feat, pid, margin):
    """The formula, image by image, in Python's own floats."""
    unit = [[x / math.dist(f, [0] * len(f)) for x in f] for f in feat]
    costs = []
    for image, identity in zip(unit, pid):
        own = [other for other, found in zip(unit, pid) if found == identity]
        centre = [sum(values) / len(own) for values in zip(*own)]
        costs.append(max(0.0, 1 - cosine(image, centre) - margin))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_formula(feat, margin):
    expected = transcription(feat.tolist(), PID.tolist(), margin)
    assert ProjectNameLoss(margin)(feat, PID).item() == pytest.approx(expected, rel=1e-12)


def test_gradient(feat):
    assert torch.autograd.gradcheck(lambda f: ProjectNameLoss()(f, PID), feat.requires_grad_())


def test_the_configuration_finds_it(feat):
    losses = LossSet({"own": {"type": "ProjectNameLoss", "margin": 0.0, "weight": 2.0}})
    found = losses({"feat": feat, "pid": PID})["own"].item()
    assert found == pytest.approx(2 * ProjectNameLoss(0.0)(feat, PID).item(), rel=1e-6)


def test_an_image_alone_costs_nothing(feat):
    assert ProjectNameLoss(0.0)(feat[:1], PID[:1]).item() == pytest.approx(0, abs=1e-12)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="margin"):
        ProjectNameLoss(margin=-0.1)


def test_the_contract_of_a_loss_is_kept():
    check_loss({"type": "ProjectNameLoss"}, gradient=["feat"])
