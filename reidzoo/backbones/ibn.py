"""Instance-batch normalisation, the norm of IBN-Net."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["IBN"]


class IBN(nn.Module):
    """Instance norm on the first half of the channels, batch norm on the rest (Pan et al., ECCV 2018, IBN-Net-a).

    Instance norm takes away what a camera does to the whole image (colour, contrast); batch norm keeps what tells
    people apart. Parameter names ``IN.*`` and ``BN.*`` are those of the published weights. Batch-norm conversions
    (``reidzoo.models.batch_norm``) reach ``BN``; instance norm needs none, its statistics belong to one image.

    Args:
        channels: number of channels C; the first ``C // 2`` are instance-normalised.

    Shapes: (B, C, h, w) -> (B, C, h, w), with ``h * w > 1`` in training.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.split = [channels // 2, channels - channels // 2]
        self.IN = nn.InstanceNorm2d(self.split[0], affine=True)
        self.BN = nn.BatchNorm2d(self.split[1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise both parts and put them together again."""
        is_last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
        memory_format = torch.channels_last if is_last else torch.contiguous_format
        # Batch norm is twice as fast on a contiguous copy as on a slice, and instance norm answers in NCHW always:
        # without these the whole map would leave channels_last.
        instance, batch = maps.split(self.split, dim=1)
        instance = self.IN(instance).contiguous(memory_format=memory_format)
        return torch.cat([instance, self.BN(batch.contiguous(memory_format=memory_format))], dim=1)
