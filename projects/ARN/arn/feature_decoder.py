"""ARN's decoder D_C of the feature map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FeatureDecoder"]


class FeatureDecoder(nn.ModuleList):
    """Rebuilds E_I's map from the shared and the private feature side by side (Li et al., CVPRW 2018, section 4.2).

    Its layers are ``FCNEncoder``'s in reverse and transposed. The last has neither norm nor nonlinearity, though the
    map is behind a ReLU: the text says nothing.

    Args:
        in_channels: D of both features together; of the shared one where there is no private one.
        out_channels: channels of the map.
        width, kernels, strides: as for ``FCNEncoder``, in its order.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, kernels: Sequence, strides: Sequence) -> None:
        channels = [in_channels, width, width, out_channels]
        convs = [
            nn.ConvTranspose2d(channels[n], channels[n + 1], kernels[2 - n], strides[2 - n], bias=n == 2)
            for n in range(3)
        ]
        between = [[nn.BatchNorm2d(width), nn.LeakyReLU(0.2)] for _ in range(2)]
        super().__init__([convs[0], *between[0], convs[1], *between[1], convs[2]])

    def forward(self, shared: Tensor, private: Tensor | None, like: Tensor) -> Tensor:
        """Return the map, of the shape of ``like``, (B, out_channels, h, w).

        Args:
            shared, private: (B, D, h', w'), what the encoders return, which is pooled; ``private`` may be None.
            like: E_I's map; if its size is not that which the layers give, the result is resized to it, nearest.
        """
        codes = [maps.mean((2, 3), keepdim=True) for maps in (shared, private) if maps is not None]
        maps = torch.cat(codes, dim=1)
        for layer in self:
            maps = layer(maps)
        return maps if maps.shape[2:] == like.shape[2:] else functional.interpolate(maps, like.shape[2:])
