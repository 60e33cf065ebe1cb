from __future__ import annotations

import pytest
import torch

from reidzoo.losses import InvarianceLoss, LossSet

SCORES = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
COLUMNS = torch.tensor([[0, 3], [1, 1], [8, 2], [4, 5], [6, 7]])
WEIGHTS = torch.tensor([[1.0, 0.5], [0.25, 1.0], [0.0, 1.0], [0.2, 0.0], [0.0, 0.0]], dtype=torch.float64)


def test_equals_the_sum_over_all_classes():
    """Eq. 8 with a weight for every class, the absent ones 0."""
    total = 0.0
    for scores, columns, weights in zip(SCORES, COLUMNS, WEIGHTS):
        p = torch.exp(scores) / torch.exp(scores).sum()
        for j, w in zip(columns.tolist(), weights.tolist()):
            total -= w * torch.log(p[j])
    loss = InvarianceLoss()(SCORES, COLUMNS, WEIGHTS)
    assert loss.item() == pytest.approx(total.item() / 5, rel=1e-12)


def test_gradcheck():
    scores = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: InvarianceLoss()(s, COLUMNS, WEIGHTS), scores)


def test_one_class_of_weight_one_is_cross_entropy():
    columns, weights = torch.arange(5)[:, None], torch.ones(5, 1, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(SCORES, torch.arange(5))
    torch.testing.assert_close(InvarianceLoss()(SCORES, columns, weights), expected)


def test_great_scores_do_not_overflow():
    scores = (1e4 * SCORES).float().requires_grad_()
    loss = LossSet({"x": {"type": "InvarianceLoss"}})({"scores": scores, "columns": COLUMNS, "weights": WEIGHTS})["x"]
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(scores.grad).all()
