from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import DomainBalanceLoss, SymmetricKLLoss


def probabilities(logits):
    return [[math.exp(z) / sum(math.exp(other) for other in row) for z in row] for row in logits.tolist()]


def plain_balance(logits):
    """DomainMix Eq. 8."""
    p = probabilities(logits)
    return sum(sum(x * math.log(x) + 0.5 for x in row) for row in p) / len(p)


def plain_kl(logits):
    """DomainMix Eq. 6 and 7."""
    total = 0.0
    for row in probabilities(logits):
        h = 1 / len(row)
        total += sum(x * math.log(x / h) for x in row) + sum(h * math.log(h / x) for x in row)
    return total / len(logits)


CASES = [(DomainBalanceLoss, plain_balance), (SymmetricKLLoss, plain_kl)]


@pytest.mark.parametrize(("loss", "plain"), CASES)
@pytest.mark.parametrize("domains", [2, 3, 5])
def test_equals_the_formula(loss, plain, domains):
    logits = torch.randn(6, domains, dtype=torch.float64, requires_grad=True)
    assert loss()(logits).item() == pytest.approx(plain(logits), rel=1e-12)
    assert torch.autograd.gradcheck(loss(), logits)


@pytest.mark.parametrize(("loss", "least"), [(DomainBalanceLoss, 1 - math.log(2)), (SymmetricKLLoss, 0.0)])
def test_minimum_is_at_uniform(loss, least):
    logits = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    value = loss()(logits)
    value.backward()
    assert value.item() == pytest.approx(least, abs=1e-12)
    assert logits.grad.abs().max() < 1e-12
    assert loss()(torch.tensor([[0.1, -0.1]], dtype=torch.float64)) > least


def test_gradients_are_those_of_the_docstrings():
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    p = logits.detach().softmax(1)
    entropic = p * (p.log() - (p * p.log()).sum(1, keepdim=True))
    (balance,) = torch.autograd.grad(DomainBalanceLoss()(logits), logits)
    (divergence,) = torch.autograd.grad(SymmetricKLLoss()(logits), logits)
    assert torch.allclose(balance, entropic / 4)
    assert torch.allclose(divergence, (entropic + p - 1 / 3) / 4)


@pytest.mark.parametrize("loss", [DomainBalanceLoss, SymmetricKLLoss])
def test_a_certain_discriminator_gives_finite_values(loss):
    logits = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    value = loss()(logits)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("loss", "least", "most"), [(DomainBalanceLoss, 0.0, 1e-5), (SymmetricKLLoss, 0.49, 0.51)])
def test_what_is_left_of_the_gradient_where_the_discriminator_is_certain(loss, least, most):
    logits = torch.tensor([[8.0, -8.0]], dtype=torch.float64, requires_grad=True)
    loss()(logits).backward()
    assert least <= logits.grad.abs().max() <= most


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 3, 4)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match="domains"):
        DomainBalanceLoss()(torch.zeros(shape))
