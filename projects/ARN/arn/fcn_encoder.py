"""ARN's encoders E_C, E_S and E_T."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FCNEncoder"]


class FCNEncoder(nn.Sequential):
    """Three convolutions from E_I's map to the latent feature (Li et al., CVPRW 2018, section 4.2).

    The paper says "fully convolution networks which contains three layers", 7 x 7 x 2048 to 1 x 1 x 2048, and names no
    kernels. Here there is no padding; batch norm and leaky ReLU stand between the layers, neither at the end. A map too
    small for the layers is padded with zeros; what is not 1 x 1 in the end is the head's to pool.

    Args:
        in_channels: channels of the map.
        features: channels of the last layer, the paper's 2048.
        width: channels between the layers.
        kernels, strides: of the three layers, each a number or height and width.
    """

    def __init__(self, in_channels: int, features: int, width: int, kernels: Sequence, strides: Sequence) -> None:
        channels = [in_channels, width, width, features]
        convs = [nn.Conv2d(channels[n], channels[n + 1], kernels[n], strides[n], bias=n == 2) for n in range(3)]
        between = [[nn.BatchNorm2d(width), nn.LeakyReLU(0.2)] for _ in range(2)]
        super().__init__(convs[0], *between[0], convs[1], *between[1], convs[2])
        self.smallest = [1, 1]  # map that the layers bring to 1 x 1
        for conv in reversed(convs):
            self.smallest = [(n - 1) * s + k for n, s, k in zip(self.smallest, conv.stride, conv.kernel_size)]

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, features, h', w'), 1 x 1 for the paper's 7 x 7."""
        bottom, right = (max(a - b, 0) for a, b in zip(self.smallest, maps.shape[2:]))
        return super().forward(functional.pad(maps, (0, right, 0, bottom)) if bottom or right else maps)
