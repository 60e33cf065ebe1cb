"""A vision transformer with TransReID's jigsaw branch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from reidzoo.backbones.timm_backbone import TimmBackbone
from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import BACKBONE

__all__ = ["JigsawViT"]


@BACKBONE.register_module()
class JigsawViT(TimmBackbone):
    """A ViT whose last block exists twice, for the whole image and for jigsaw parts.

    This is TransReID's JPM (He et al., ICCV 2021). The tokens before the last block go through it and the last norm, as
    in any ViT: the class token is the global feature. The same tokens, shifted and shuffled (Sec. 3.2), are cut into
    ``parts``; each part, behind the class token, goes through ``jigsaw``, a copy of both that starts with the same
    weights, and its class token is a local feature. The map (B, C, 1 + parts, 1) has the global feature as its first
    row and the local ones below: ``JigsawHead`` takes them.

    As in the authors' code the shift is by ``shift`` - 1 patches, and where the groups do not divide the patches the
    last but one is there twice.

    Args:
        name, pretrained, size, stride, drop_path, sie, options: as for ``TimmBackbone``; ``pretrained`` weights are a
            ViT's, or a run's of this class.
        parts: k, groups of patches, 4 in the paper.
        shift: m of the shift operation, 5 in the paper.
        groups: of the shuffle operation, 2 in the paper.

    Raises:
        ConfigError: the network is not a ViT with a class token; or, in the forward pass, an image has too few patches.
    """

    def __init__(
        self,
        name: str,
        pretrained: str | bool = "",
        size: Sequence[int] | None = None,
        stride: int = 0,
        drop_path: float = 0.0,
        sie: Mapping[str, Any] | None = None,
        parts: int = 4,
        shift: int = 5,
        groups: int = 2,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        check("JigsawViT", whole(1, 64), parts=parts, shift=shift, groups=groups)
        self.parts, self.shift, self.groups = parts, shift, groups
        super().__init__(name, pretrained, size, stride, "token", drop_path, sie, options)

    def _finish(self) -> None:
        if not all(hasattr(self.net, part) for part in ("_pos_embed", "patch_drop", "norm_pre")):
            raise ConfigError(f"JigsawViT: {self.name} is not a ViT of timm's VisionTransformer")
        self.jigsaw = nn.Sequential(copy.deepcopy(self.net.blocks[-1]), copy.deepcopy(self.net.norm))

    def parameter_layers(self) -> dict[str, int]:
        """Return the layer of each parameter; the jigsaw branch is of the last layer."""
        layers = super().parameter_layers()
        last = max(layers.values())
        return {**layers, **{f"jigsaw.{name}": last for name, _ in self.jigsaw.named_parameters()}}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return global and local features as a map (B, C, 1 + parts, 1) of images (B, 3, H, W)."""
        net = self.net
        tokens = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(images))))
        for block in net.blocks[:-1]:
            tokens = block(tokens)
        self._tell_of_positions(images)
        token, patches = tokens[:, :1], tokens[:, net.num_prefix_tokens :]
        length = patches.shape[1] // self.parts
        if not length or patches.shape[1] < max(self.shift, 2):
            raise ConfigError(
                f"JigsawViT: {patches.shape[1]} patches of images of {images.shape[2]} x {images.shape[3]} are too few "
                f"for {self.parts} parts and a shift of {self.shift}"
            )
        shuffled = self._shuffled(patches)
        features = [net.norm(net.blocks[-1](tokens))[:, 0]]
        for part in range(self.parts):
            patches_of = shuffled[:, part * length : (part + 1) * length]
            features.append(self.jigsaw(torch.cat([token, patches_of], dim=1))[:, 0])
        return torch.stack(features, dim=2)[..., None]

    def _shuffled(self, patches: torch.Tensor) -> torch.Tensor:
        """Return patches (B, N, C) after the shift and the shuffle."""
        count = self.shift - 1
        patches = torch.cat([patches[:, count:], patches[:, :count]], dim=1)
        if patches.shape[1] % self.groups:
            patches = torch.cat([patches, patches[:, -2:-1]], dim=1)
        if patches.shape[1] % self.groups:
            raise ConfigError(f"JigsawViT: groups: {self.groups} do not divide {patches.shape[1]} patches")
        return patches.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
