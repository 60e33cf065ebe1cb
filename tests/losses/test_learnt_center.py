from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import LearntCenterLoss


def test_equals_the_formula_and_has_gradients_for_both():
    loss, pid = LearntCenterLoss(4, 3).double(), torch.tensor([0, 2, 2, 1, 0, 0])
    feat = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    wanted = sum(((x - loss.centers[y]) ** 2).sum() for x, y in zip(feat, pid.tolist())) / 6
    assert loss(feat, pid).item() == pytest.approx(wanted.item(), rel=1e-12)

    def value(feat, centers):
        return torch.func.functional_call(loss, {"centers": centers}, (feat, pid))

    assert torch.autograd.gradcheck(value, (feat, loss.centers))
    loss(feat, pid).backward()
    assert not loss.centers.grad[3].any()  # a class without an image stays


def test_other_classes_have_new_centers():
    loss = LearntCenterLoss(0, 3)
    loss.reset_classes(5)
    assert loss.centers.shape == (5, 3) and next(iter(loss.parameters())) is loss.centers


def test_mistakes():
    with pytest.raises(ConfigError, match="dim is 3"):
        LearntCenterLoss(2, 3)(torch.zeros(1, 4), torch.tensor([0]))
    with pytest.raises(ValueError, match="must be in"):
        LearntCenterLoss(2, 3)(torch.zeros(1, 3), torch.tensor([2]))


def test_centres_begin_and_begin_anew_apart():
    loss = LearntCenterLoss(50, 40)
    assert loss.centers.std().item() == pytest.approx(1, abs=0.1)
    loss.reset_classes(60)
    assert loss.centers.shape == (60, 40) and loss.centers.std().item() == pytest.approx(1, abs=0.1)
