"""A ResNet whose upper layers exist several times, one branch for each granularity."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from reidzoo.backbones.resnet import ResNet
from reidzoo.checks import check, whole
from reidzoo.registry import BACKBONE

__all__ = ["MultiBranchResNet"]


@BACKBONE.register_module()
class MultiBranchResNet(ResNet):
    """MGN's backbone (Wang et al., ACM MM 2018, Fig. 3): shared up to the first block of layer 3, then n branches.

    A branch is the rest of layer 3 and a layer 4; all start with the same weights, ImageNet's in the paper. The first
    branch's layer 4 has stride 2, the others' 1, and its map is repeated to their size, which changes neither its
    maximum nor, where the others' height and width are even, its mean. The maps stand one after the other along the
    channels; ``MGNHead`` takes them apart.

    Args:
        depth, ibn, width, pretrained: as for ``ResNet``.
        branches: n, 2 to 8; 3 in the paper.

    Attributes:
        out_channels: of all maps together, n times those of the ``ResNet``.
        num_maps: n.
    """

    branches: nn.ModuleList

    def __init__(
        self, depth: int = 50, ibn: str = "none", width: int = 64, pretrained: str = "", branches: int = 3
    ) -> None:
        super().__init__(depth, ibn, 2, width, pretrained)
        check(self, whole(2, 8), branches=branches)
        upper = nn.Sequential(self.layer3[1:], self.layer4)
        self.branches = nn.ModuleList(copy.deepcopy(upper) for _ in range(branches))
        self.layer3 = self.layer3[:1]
        del self.layer4
        for module in self.branches[1:].modules():
            if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                module.stride = (1, 1)
        self.num_maps, self.out_channels = branches, branches * self.out_channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the maps (B, out_channels, H / 16, W / 16), the first branch's first, rounded up."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        coarse, *fine = (branch(maps) for branch in self.branches)
        return torch.cat([functional.interpolate(coarse, size=fine[0].shape[2:]), *fine], dim=1)
