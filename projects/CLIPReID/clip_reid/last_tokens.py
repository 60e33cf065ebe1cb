"""The class tokens of a vision transformer's last two layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from reidzoo.backbones import TimmBackbone
from reidzoo.errors import ConfigError
from reidzoo.registry import BACKBONE

__all__ = ["LastTokens"]


@BACKBONE.register_module()
class LastTokens(TimmBackbone):
    """A ViT of timm whose map is the class token of its last layer, normalised, and that of the layer before, as it is.

    CLIP-ReID (Li et al., AAAI 2023) trains both by triplet losses: the authors' ``img_feature`` and
    ``img_feature_last``. ``CLIPReIDHead`` takes them apart.

    Args:
        name, pretrained, size, stride, drop_path, sie, options: as for ``TimmBackbone``; for OpenAI's weights the name
            is ``vit_base_patch16_clip_quickgelu_224.openai``.

    Attributes:
        out_channels: twice the width of a token.

    Raises:
        ConfigError: the network has no class token, or fewer than two layers.
    """

    def __init__(
        self,
        name: str,
        pretrained: str | bool = "",
        size: Sequence[int] | None = None,
        stride: int = 0,
        drop_path: float = 0.0,
        sie: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, pretrained, size, stride, "token", drop_path, sie, options)
        self.layers = len(getattr(self.net, "blocks", ()))
        if self.layers < 2 or not hasattr(self.net, "forward_intermediates"):
            raise ConfigError(f"LastTokens: {name} has not the two layers whose tokens it returns")
        self.out_channels *= 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the tokens (B, out_channels, 1, 1) of images (B, 3, H, W), that of the last layer first."""
        last, [(_, before)] = self.net.forward_intermediates(
            images, indices=[self.layers - 2], return_prefix_tokens=True, output_fmt="NLC"
        )
        return torch.cat([last[:, 0], before[:, 0]], dim=1)[:, :, None, None]
