"""Rows of unit length, for losses and classifiers that compare by cosine."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["directions"]

LEAST = 1e-12
"""What ``functional.normalize`` divides shorter rows by."""


def directions(rows: Tensor) -> Tensor:
    """Return the rows (N, D) divided by their lengths; a row of length zero is zeros, without gradient.

    It has no direction, and ``functional.normalize`` divides its gradient by 1e-12: one dead image would outweigh all
    others in the gradient's norm, and clipping by it would leave nothing of theirs. Other rows are as ``normalize``
    has them, bit by bit.
    """
    none = rows.detach().norm(dim=1, keepdim=True) <= LEAST
    return torch.where(none, 0, functional.normalize(rows, dim=1, eps=LEAST))
