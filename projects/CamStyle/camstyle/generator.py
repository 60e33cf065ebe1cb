"""StarGAN's generator: one network for every pair of cameras."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.checks import check, whole
from reidzoo.registry import MODEL

__all__ = ["StarGANGenerator"]


@MODEL.register_module()
class StarGANGenerator(nn.Module):
    """Draws an image as another camera would have seen it (Choi et al., CVPR 2018, Table 4).

    The camera is given as one-hot planes next to the image. Two convolutions of stride 2, residual blocks, two
    transposed convolutions; instance normalisation, always by the image's own statistics.

    Args:
        num_cameras: C.
        width: channels of the first convolution; 64 in the paper.
        residual_blocks: 6 in the paper.
    """

    def __init__(self, num_cameras: int, width: int = 64, residual_blocks: int = 6) -> None:
        super().__init__()
        check(self, whole(1, 1024), width=width)
        check(self, whole(0, 64), residual_blocks=residual_blocks)
        self.num_cameras = num_cameras
        deepest = 4 * width
        self.layers = nn.Sequential(
            *_normalised(nn.Conv2d(3 + num_cameras, width, 7, 1, 3, bias=False)),
            *_normalised(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)),
            *_normalised(nn.Conv2d(2 * width, deepest, 4, 2, 1, bias=False)),
            *(_ResidualBlock(deepest) for _ in range(residual_blocks)),
            *_normalised(nn.ConvTranspose2d(deepest, 2 * width, 4, 2, 1, bias=False)),
            *_normalised(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False)),
            nn.Conv2d(width, 3, 7, 1, 3, bias=False),
            nn.Tanh(),
        )

    def forward(self, images: Tensor, camera: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) in -1..1 as ``camera`` sees them, int64 (B,) in 0..C-1; 4 divides H and W."""
        planes = functional.one_hot(camera, self.num_cameras).to(images)[:, :, None, None]
        return self.layers(torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1))


def _normalised(convolution: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    return convolution, nn.InstanceNorm2d(convolution.out_channels, affine=True), nn.ReLU(inplace=True)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_normalised(nn.Conv2d(channels, channels, 3, 1, 1, bias=False)),
            *_normalised(nn.Conv2d(channels, channels, 3, 1, 1, bias=False))[:2],
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)
