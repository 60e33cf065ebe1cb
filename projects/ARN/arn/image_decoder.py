"""The image decoder of the code that ARN's authors published."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from reidzoo.errors import ConfigError

__all__ = ["ImageDecoder"]


class ImageDecoder(nn.ModuleList):
    """Rebuilds the image from the sum of the shared and the private map: the authors' code, not the paper.

    Each block is three transposed 3 x 3 convolutions, the first of which doubles height and width, each with batch norm
    and leaky ReLU. The very last ends in a tanh: INPUT.MEAN and INPUT.STD of 0.5 bring the images to [-1, 1].

    Args:
        in_channels: channels of the maps.
        widths: of the blocks, the image's 3 last.
    """

    def __init__(self, in_channels: int, widths: Sequence[int] = (1024, 512, 256, 64, 3)) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            for stride in (2, 1, 1):
                layers.append(nn.ConvTranspose2d(in_channels, width, 3, stride, padding=1, output_padding=stride - 1))
                layers += [nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
                in_channels = width
        super().__init__([*layers[:-1], nn.Tanh()])
        self.scale = 2 ** len(widths)

    def forward(self, shared: Tensor, private: Tensor | None, like: Tensor) -> Tensor:
        """Return the images, of the shape of ``like``, (B, 3, H, W).

        Args:
            shared, private: (B, D, h, w), what the encoders return; ``private`` may be None. They are resized, nearest,
                if the blocks do not bring them to the images' size.
            like: the images.

        Raises:
            ConfigError: the images' sides are not multiples of 2 to the power of the number of blocks.
        """
        if any(side % self.scale for side in like.shape[2:]):
            raise ConfigError(
                f"MODEL.image_widths: this number of blocks needs images whose sides are multiples of {self.scale}, "
                f"and INPUT.SIZE is {list(like.shape[2:])}"
            )
        size = [side // self.scale for side in like.shape[2:]]
        maps = shared if private is None else shared + private
        if list(maps.shape[2:]) != size:
            maps = functional.interpolate(maps, size)
        for layer in self:
            maps = layer(maps)
        return maps
