from __future__ import annotations

import pytest
import torch

from reidzoo.losses import CrossEntropyLoss
from reidzoo.losses.branches import branch_log_probabilities, sum_over_branches


def test_log_probabilities_of_one_and_of_several_branches():
    logits = torch.randn(4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(branch_log_probabilities(logits), logits.log_softmax(2))
    torch.testing.assert_close(branch_log_probabilities(logits[:, 0]), logits[:, :1].log_softmax(2))
    with pytest.raises(ValueError, match="classes"):
        branch_log_probabilities(torch.zeros(4, 1))


def test_branches_are_added_up_and_samples_averaged():
    assert sum_over_branches(torch.tensor([[1.0, 2.0], [3.0, 5.0]])) == 5.5


def test_cross_entropy_of_branches():
    logits = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    pid = torch.tensor([0, 4, 2, 2])
    loss = CrossEntropyLoss(smoothing=0.1, temperature=2.0)
    wanted = sum(loss(logits[:, n], pid) for n in range(3))
    torch.testing.assert_close(loss(logits, pid), wanted)
    assert torch.autograd.gradcheck(lambda values: loss(values, pid), logits)
    with pytest.raises(ValueError, match="labels"):
        loss(logits, pid + 3)
