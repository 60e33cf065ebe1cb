"""A MobileNetV2 whose last layers exist twice, for a global and a local branch."""

from __future__ import annotations

import copy

import torch
from torch import nn

from reidzoo.backbones.mobilenet_v2 import MobileNetV2
from reidzoo.registry import BACKBONE

__all__ = ["DualBranchMobileNetV2"]

SHARED = 14
"""So many of ``features`` are shared; then come the stages of 160 and 320 channels and the last convolution."""


@BACKBONE.register_module()
class DualBranchMobileNetV2(MobileNetV2):
    """ADIN's dual branch (Yuan et al., WACV 2020, Fig. 4) on a MobileNetV2, as ``DualBranchResNet`` is on a ResNet.

    ``features_global`` is a copy of the last layers of ``features`` and starts with the same weights. The map is that
    of the global branch and that of the local branch, one after the other along the channels; ``DualBranchHead`` takes
    them apart. It stands in for the paper's ResNet-50 where a small network with ImageNet's weights is wanted.

    Args:
        width, last_stride, pretrained: as for ``MobileNetV2``; the stride is that of both branches.

    Attributes:
        num_maps: 2.
        out_channels: of both maps together, twice those of the ``MobileNetV2``.
    """

    features_global: nn.Sequential

    def __init__(self, width: float = 1.0, last_stride: int = 1, pretrained: str = "") -> None:
        super().__init__(width, last_stride, pretrained)
        self.features_global = copy.deepcopy(self.features[SHARED:])
        self.num_maps, self.out_channels = 2, 2 * self.out_channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return both maps (B, out_channels, h, w), the global one first, as ``MobileNetV2.forward`` returns one."""
        maps = self.features[:SHARED](images)
        return torch.cat([self.features_global(maps), self.features[SHARED:](maps)], dim=1)
