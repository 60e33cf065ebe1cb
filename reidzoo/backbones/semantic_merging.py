"""Patch merging with SOLIDER's semantic controller behind it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["SemanticMerging"]


class SemanticMerging(nn.Module):
    """Merges patches, and scales and shifts what comes out as the semantic weight says (Chen et al., CVPR 2023).

    ``x * softplus(W s + b) + (V s + c)`` with ``s = (weight, 1 - weight)``, as the authors' code has it. W, V, b and c
    are learnt in SOLIDER's pre-training, and kept as they are from then on; so they are buffers here.

    Args:
        merging: timm's patch merging.
        channels: C of what it returns.
        weight: share of semantics against appearance, in [0, 1].

    Attributes:
        scale_weight, shift_weight: W and V, (C, 2).
        scale_bias, shift_bias: b and c, (C,).
    """

    scale_weight: torch.Tensor
    scale_bias: torch.Tensor
    shift_weight: torch.Tensor
    shift_bias: torch.Tensor

    def __init__(self, merging: nn.Module, channels: int, weight: float) -> None:
        super().__init__()
        self.merging, self.weight = merging, weight
        for name in ("scale", "shift"):
            self.register_buffer(f"{name}_weight", nn.init.trunc_normal_(torch.empty(channels, 2), std=0.02))
            self.register_buffer(f"{name}_bias", torch.zeros(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, H, W, C / 2) -> (B, ceil(H / 2), ceil(W / 2), C)."""
        maps = self.merging(maps)
        scale = functional.softplus(self._at_weight(self.scale_weight) + self.scale_bias)
        shift = self._at_weight(self.shift_weight) + self.shift_bias
        return maps * scale.to(maps.dtype) + shift.to(maps.dtype)

    def _at_weight(self, matrix: torch.Tensor) -> torch.Tensor:
        return matrix[:, 0] * self.weight + matrix[:, 1] * (1 - self.weight)
