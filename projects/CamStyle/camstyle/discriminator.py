"""StarGAN's discriminator, which scores how real an image looks and classifies its camera."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import DISCRIMINATOR

__all__ = ["StarGANDiscriminator"]


@DISCRIMINATOR.register_module()
class StarGANDiscriminator(nn.Module):
    """Convolutions of stride 2 with two heads (Choi et al., CVPR 2018, Table 5). It looks at images, not at features.

    Args:
        num_cameras: C.
        size: height and width of the images, multiples of 2 ** layers.
        width: channels of the first convolution, doubled by each further one; 64 in the paper.
        layers: number of convolutions; 6 in the paper, so that 256 x 128 ends as 4 x 2.

    Raises:
        ConfigError: ``size`` is not a multiple of 2 ** layers.
    """

    def __init__(self, num_cameras: int, size: tuple[int, int], width: int = 64, layers: int = 6) -> None:
        super().__init__()
        check(self, whole(1, 1024), width=width)
        check(self, whole(1, 10), layers=layers)
        if any(side % 2**layers or side < 2**layers for side in size):
            raise ConfigError(
                f"StarGANDiscriminator: {layers} layers need a height and width divisible by {2**layers}, "
                f"got {size[0]} x {size[1]}; change INPUT.SIZE, the crop, or DISCRIMINATORS.discriminator.layers"
            )
        trunk: list[nn.Module] = []
        channels = 3
        for layer in range(layers):
            trunk += [nn.Conv2d(channels, width << layer, 4, 2, 1), nn.LeakyReLU(0.01)]
            channels = width << layer
        self.trunk = nn.Sequential(*trunk)
        self.realness = nn.Conv2d(channels, 1, 3, 1, 1, bias=False)
        self.camera = nn.Conv2d(channels, num_cameras, (size[0] >> layers, size[1] >> layers), bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return a map of scores (B, 1, h, w), high where the images look real, and the cameras' logits (B, C)."""
        features = self.trunk(images)
        return self.realness(features), self.camera(features).flatten(1)
