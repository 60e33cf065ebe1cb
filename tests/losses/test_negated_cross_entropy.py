from __future__ import annotations

import math

import pytest
import torch

from reidzoo.discriminators import reverse_gradient
from reidzoo.losses import CrossEntropyLoss, NegatedCrossEntropyLoss


def plain(logits, labels):
    """ADIN Eq. 4."""
    total = 0.0
    for row, label in zip(logits.reshape(len(logits), -1, logits.shape[-1]).tolist(), labels.tolist()):
        total += sum(math.log(math.exp(branch[label]) / sum(map(math.exp, branch))) for branch in row)
    return total / len(logits)


@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (4, 3, 5)])
def test_equals_the_formula(shape):
    logits = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(shape[0]) % shape[-1]
    loss = NegatedCrossEntropyLoss()
    assert loss(logits, labels).item() == pytest.approx(plain(logits, labels), rel=1e-12)
    assert loss(logits, labels).item() == pytest.approx(-CrossEntropyLoss()(logits, labels).item(), rel=1e-12)
    assert torch.autograd.gradcheck(lambda values: loss(values, labels), logits)


def test_features_get_the_gradient_of_a_gradient_reversal_layer():
    classifier = torch.nn.Linear(4, 3).double()
    feat = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(5) % 3
    (negated,) = torch.autograd.grad(NegatedCrossEntropyLoss()(classifier(feat), labels), feat)
    (reversed_,) = torch.autograd.grad(CrossEntropyLoss()(classifier(reverse_gradient(feat)), labels), feat)
    assert torch.allclose(negated, reversed_, rtol=1e-12, atol=1e-15)


def test_it_has_no_minimum():
    labels = torch.tensor([0])
    values = [NegatedCrossEntropyLoss()(torch.tensor([[-z, z]]), labels).item() for z in (0.0, 10.0, 1000.0)]
    assert values[0] == pytest.approx(-math.log(2)) and values[1] == pytest.approx(-20) and values[2] == -2000
