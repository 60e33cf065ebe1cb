"""Losses of models with several branches: each has a classifier, and their losses are added up."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["branch_log_probabilities", "each_branch", "sum_over_branches"]


def each_branch(loss: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return the sum of a scalar ``loss`` over the n branches of values (B, n, ...), each of which it takes alone."""
    return torch.stack([loss(branch) for branch in values.unbind(1)]).sum()


def branch_log_probabilities(logits: Tensor) -> Tensor:
    """Return log-probabilities (B, n, K) of logits (B, K), which are one branch, or (B, n, K).

    Raises:
        ValueError: another shape, or fewer than two classes.
    """
    if logits.dim() not in (2, 3) or logits.shape[-1] < 2:
        raise ValueError(f"logits must be (B, K) or (B, n, K) with K >= 2 classes, got {tuple(logits.shape)}")
    return F.log_softmax(logits if logits.dim() == 3 else logits[:, None], dim=-1)


def sum_over_branches(values: Tensor) -> Tensor:
    """Return the scalar loss of values (B, n): the sum over the branches, mean over the batch."""
    return values.sum(1).mean()
