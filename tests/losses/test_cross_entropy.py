from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.losses import CrossEntropyLoss


def plain(logits, pid, smoothing, temperature):
    total = 0.0
    for row, label in zip(logits.double() / temperature, pid.tolist()):
        log_p = row - torch.log(torch.exp(row).sum())
        for k in range(len(row)):
            share = smoothing / len(row) + (1 - smoothing if k == label else 0)
            total = total - share * log_p[k]
    return total / len(logits)


@pytest.mark.parametrize(("smoothing", "temperature"), [(0.0, 1.0), (0.1, 1.0), (0.1, 2.0), (0.0, 0.05)])
def test_equals_the_formula(smoothing, temperature):
    logits = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    pid = torch.randint(0, 5, (7,))
    loss = CrossEntropyLoss(smoothing, temperature)
    assert loss(logits, pid).item() == pytest.approx(plain(logits, pid, smoothing, temperature).item(), rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: loss(x, pid), logits)


def test_large_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = CrossEntropyLoss(0.1, 0.01)(logits, torch.tensor([1, 1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("label", [-1, -100, 5])
def test_a_label_outside_is_never_skipped(label):
    with pytest.raises(ValueError, match=rf"\[0, 5\).*{label}"):
        CrossEntropyLoss()(torch.zeros(2, 5), torch.tensor([0, label]))


@pytest.mark.parametrize("arguments", [{"smoothing": 1.0}, {"smoothing": -0.1}, {"temperature": 0.0}])
def test_wrong_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        CrossEntropyLoss(**arguments)
