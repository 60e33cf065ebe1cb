from __future__ import annotations

import math

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import InstanceLoss


def plain(feat, other, scale):
    """The loss, image by image."""
    costs = []
    for i, row in enumerate(feat):
        scores = [scale * torch.cosine_similarity(row, each, dim=0).item() for each in other]
        costs.append(math.log(sum(map(math.exp, scores))) - scores[i])
    return sum(costs) / len(costs)


def test_equals_the_formula():
    feat, other = (torch.randn(5, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss = InstanceLoss(8.0)
    assert loss(feat).item() == pytest.approx(plain(feat, feat, 8.0), rel=1e-10)
    assert loss(feat, other).item() == pytest.approx(plain(feat, other, 8.0), rel=1e-10)
    assert torch.autograd.gradcheck(loss, feat) and torch.autograd.gradcheck(loss, (feat, other))


def test_one_image_costs_nothing_and_parts_are_added_up():
    loss, parts = InstanceLoss(), torch.randn(4, 2, 3)
    assert loss(torch.randn(1, 3)).item() == 0
    torch.testing.assert_close(loss(parts), loss(parts[:, 0]) + loss(parts[:, 1]))
    with pytest.raises(ConfigError, match="scale"):
        InstanceLoss(0)
