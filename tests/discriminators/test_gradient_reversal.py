from __future__ import annotations

import pytest
import torch

from reidzoo.discriminators import reverse_gradient


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.0])
def test_gradient_is_reversed_and_scaled(scale):
    values = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(values.pow(3).sum(), values)
    assert torch.equal(reverse_gradient(values, scale), values)
    (reversed_,) = torch.autograd.grad(reverse_gradient(values, scale).pow(3).sum(), values)
    assert torch.allclose(reversed_, -scale * plain)


def test_twice_is_the_identity():
    values = torch.randn(5, requires_grad=True)
    (gradient,) = torch.autograd.grad(reverse_gradient(reverse_gradient(values)).sum(), values)
    assert torch.equal(gradient, torch.ones(5))
