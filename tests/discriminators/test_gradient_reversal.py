from __future__ import annotations

import pytest
import torch

from reidzoo.discriminators import GradientReversal, reverse_gradient


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.0])
def test_gradient_is_reversed_and_scaled(scale):
    values = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(values.pow(3).sum(), values)
    layer = GradientReversal(scale)
    assert torch.equal(layer(values), values)
    (reversed_,) = torch.autograd.grad(layer(values).pow(3).sum(), values)
    assert torch.allclose(reversed_, -scale * plain)


def test_twice_is_the_identity():
    values = torch.randn(5, requires_grad=True)
    (gradient,) = torch.autograd.grad(reverse_gradient(reverse_gradient(values)).sum(), values)
    assert torch.equal(gradient, torch.ones(5))


def test_scale_follows_a_schedule():
    layer = GradientReversal(0.0)
    layer.scale = 2.0
    values = torch.ones(1, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(values), values)
    assert gradient.item() == -2.0
