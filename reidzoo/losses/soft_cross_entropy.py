"""Cross entropy against another network's class probabilities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.losses.branches import sum_over_branches
from reidzoo.registry import LOSS

__all__ = ["SoftCrossEntropyLoss"]


@LOSS.register_module()
class SoftCrossEntropyLoss(nn.Module):
    """The soft classification loss of MMT (ICLR 2020, section 3.2): ``-sum_k p'_k log p_k``, batch mean.

    p are the network's class probabilities and p' the other network's mean teacher's, which carry no gradient.
    """

    def forward(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return the scalar loss of ``logits`` (B, K) against ``teacher_logits`` (B, K).

        Both may be (B, n, K), of n branches, whose losses are added up.
        """
        teacher = F.softmax(teacher_logits.detach(), dim=-1)
        costs = -(teacher * F.log_softmax(logits, dim=-1)).sum(-1)
        return sum_over_branches(costs) if costs.dim() == 2 else costs.mean()
