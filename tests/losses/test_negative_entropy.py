from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import NegativeEntropyLoss


def plain(logits):
    """ADIN Eq. 5, one branch after the other."""
    total = 0.0
    for row in logits.reshape(len(logits), -1, logits.shape[-1]).tolist():
        for branch in row:
            c = [math.exp(z) / sum(map(math.exp, branch)) for z in branch]
            total += sum(x * math.log(x) for x in c)
    return total / len(logits)


@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (4, 3, 5)])
def test_equals_the_formula(shape):
    logits = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert NegativeEntropyLoss()(logits).item() == pytest.approx(plain(logits), rel=1e-12)
    assert NegativeEntropyLoss(per_class=True)(logits).item() == pytest.approx(plain(logits) / shape[-1], rel=1e-12)
    assert torch.autograd.gradcheck(NegativeEntropyLoss(), logits)


def test_minimum_is_at_uniform():
    logits = torch.zeros(3, 8, dtype=torch.float64, requires_grad=True)
    value = NegativeEntropyLoss()(logits)
    (grad,) = torch.autograd.grad(value, logits)
    assert value.item() == pytest.approx(-math.log(8), rel=1e-12) and grad.abs().max() < 1e-15
    assert NegativeEntropyLoss()(0.1 * torch.randn(3, 8, dtype=torch.float64)) > value


def test_gradient_is_that_of_the_docstring():
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(NegativeEntropyLoss()(logits), logits)
    c = logits.detach().softmax(1)
    assert torch.allclose(grad, c * (c.log() - (c * c.log()).sum(1, keepdim=True)) / 4)


def test_a_certain_classifier_gives_finite_values():
    logits = torch.tensor([[1000.0, -1000.0, 0.0]], requires_grad=True)
    value = NegativeEntropyLoss()(logits)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 3, 4, 5)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match="classes"):
        NegativeEntropyLoss()(torch.zeros(shape))
