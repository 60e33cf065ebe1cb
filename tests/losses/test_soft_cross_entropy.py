from __future__ import annotations

import math

import pytest
import torch

from reidzoo.losses import CrossEntropyLoss, SoftCrossEntropyLoss


def plain(logits, teacher):
    """The soft classification loss, term by term."""
    costs = []
    for own, other in zip(logits, teacher):
        p, q = ([math.exp(z) / sum(map(math.exp, row)) for z in row] for row in (own, other))
        costs.append(-sum(b * math.log(a) for a, b in zip(p, q)))
    return sum(costs) / len(costs)


def test_equals_the_formula():
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    loss = SoftCrossEntropyLoss()
    assert loss(logits, teacher).item() == pytest.approx(plain(logits.tolist(), teacher.tolist()), rel=1e-12)
    assert torch.autograd.gradcheck(lambda z: loss(z, teacher.detach()), logits)
    assert torch.autograd.grad(loss(logits, teacher), teacher, allow_unused=True) == (None,)


def test_a_certain_teacher_is_a_label():
    logits, pid = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    teacher = 1e4 * torch.nn.functional.one_hot(pid, 3).float()
    assert SoftCrossEntropyLoss()(logits, teacher).item() == pytest.approx(CrossEntropyLoss()(logits, pid).item())


def test_large_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = SoftCrossEntropyLoss()(logits, -logits.detach())
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_branches_are_added_up():
    logits, teacher = torch.randn(5, 3, 4), torch.randn(5, 3, 4)
    loss = SoftCrossEntropyLoss()
    torch.testing.assert_close(loss(logits, teacher), sum(map(loss, logits.unbind(1), teacher.unbind(1))))
