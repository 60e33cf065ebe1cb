"""Horizontal stripes of a feature map."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["pool_stripes"]


def pool_stripes(maps: torch.Tensor, count: int, pooling: nn.Module) -> torch.Tensor:
    """Return the pooled stripes (B, count, C) of maps (B, C, h, w), from the top down.

    Stripe i has the rows from floor(i h / count) to ceil((i + 1) h / count), as torch's adaptive pooling has it: where
    h is not a multiple of ``count``, neighbours share a row, and where it is less, several are of one row.
    """
    height = maps.shape[2]
    ends = [(part * height // count, -(-(part + 1) * height // count)) for part in range(count)]
    return torch.stack([pooling(maps[:, :, first:last]) for first, last in ends], dim=1)
