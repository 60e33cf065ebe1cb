"""A ResNet whose last layer exists twice, for a global and a local branch."""

from __future__ import annotations

import copy

import torch
from torch import nn

from reidzoo.backbones.resnet import ResNet
from reidzoo.registry import BACKBONE

__all__ = ["DualBranchResNet"]


@BACKBONE.register_module()
class DualBranchResNet(ResNet):
    """ADIN's dual-branch backbone (Yuan et al., WACV 2020, Fig. 4): stem to layer 3 shared, two layers 4.

    ``layer4_global`` is a copy of ``layer4`` and starts with the same weights, ImageNet's in the paper. The map is that
    of the global branch and that of the local branch (``layer4``), one after the other along the channels;
    ``DualBranchHead`` takes them apart.

    Args:
        depth, ibn, width, pretrained: as for ``ResNet``.
        last_stride: stride of both layers 4; 1 in the authors' code, a map of 24 x 8 for images of 384 x 128.

    Attributes:
        num_maps: 2.
        out_channels: of both maps together, twice those of the ``ResNet``.
    """

    layer4_global: nn.Sequential

    def __init__(
        self, depth: int = 50, ibn: str = "none", last_stride: int = 1, width: int = 64, pretrained: str = ""
    ) -> None:
        super().__init__(depth, ibn, last_stride, width, pretrained)
        self.layer4_global = copy.deepcopy(self.layer4)
        self.num_maps, self.out_channels = 2, 2 * self.out_channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return both maps (B, out_channels, h, w), the global branch's first, as ``ResNet.forward`` returns one."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        return torch.cat([self.layer4_global(maps), self.layer4(maps)], dim=1)
