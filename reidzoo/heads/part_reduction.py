"""One linear layer, batch norm and ReLU for each part of a feature."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.heads.linear_norm_relu import linear_norm_relu

__all__ = ["PartReduction"]


class PartReduction(nn.Module):
    """Linear without bias, batch norm and ReLU, of each part; weights Kaiming normal (fan out).

    A 1 x 1 convolution of pooled parts is this layer.

    Args:
        in_features: C of each part.
        width: outputs of each part.
        parts: how many parts there are.
        shared: one layer for all parts; its batch norm's statistics are then of all parts together.
    """

    def __init__(self, in_features: int, width: int, parts: int, shared: bool = False) -> None:
        super().__init__()
        count = 1 if shared else parts
        self.layers = nn.ModuleList(linear_norm_relu(in_features, width, bias=False) for _ in range(count))

    def forward(self, parts: torch.Tensor) -> torch.Tensor:
        """(B, parts, C) -> (B, parts, width)."""
        if len(self.layers) == 1:
            return self.layers[0](parts.flatten(0, 1)).unflatten(0, parts.shape[:2])
        return torch.stack([layer(part) for layer, part in zip(self.layers, parts.unbind(1), strict=True)], dim=1)
