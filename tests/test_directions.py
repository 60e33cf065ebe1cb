"""Rows of unit length: those of zeros have no gradient, and no other row's bits change."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from reidzoo.directions import directions
from reidzoo.heads import CosineClassifier
from reidzoo.losses import CircleLoss, InstanceLoss

PID = torch.tensor([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", ["contiguous", "a part", "transposed"])
def test_other_rows_are_those_of_normalize_bit_by_bit(dtype, layout):
    part = torch.randn(7, 3, 33)[:, 1]
    values = {"contiguous": torch.randn(7, 33), "a part": part, "transposed": torch.randn(33, 7).T}
    ours = values[layout].to(dtype).detach().requires_grad_()
    theirs = ours.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    found, wanted = directions(ours), functional.normalize(theirs, dim=1)
    weights = torch.randn(7, 33, dtype=dtype)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert torch.equal(found, wanted) and torch.equal(ours.grad, theirs.grad)


def test_rows_of_zeros_and_of_nan():
    rows = torch.randn(4, 5)
    rows[1], rows[2] = 0, torch.nan
    rows.requires_grad_()
    found = directions(rows)
    assert torch.equal(found[1], torch.zeros(5)) and found[2].isnan().all()
    (found * torch.tensor([[1.0], [torch.inf], [0.0], [1.0]])).sum().backward()
    assert torch.equal(rows.grad[1], torch.zeros(5)) and rows.grad[0].isfinite().all()


@pytest.mark.parametrize("name", ["circle", "instance", "other view", "cosine classifier"])
def test_one_dead_image_does_not_outweigh_the_others(name):
    feat = torch.randn(6, 8)
    feat[0] = 0
    feat.requires_grad_()
    classifier = CosineClassifier(8, 3)
    losses = {
        "circle": lambda: CircleLoss()(feat, PID),
        "instance": lambda: InstanceLoss()(feat),
        "other view": lambda: InstanceLoss()(torch.ones(6, 8), feat),
        "cosine classifier": lambda: functional.cross_entropy(16 * classifier(feat), PID),
    }
    losses[name]().backward()
    assert torch.equal(feat.grad[0], torch.zeros(8))
    assert 0 < feat.grad.abs().max() < 1e4
