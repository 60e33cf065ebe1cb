"""Rectangles without colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.random_rectangle import RandomRectangle, cover

__all__ = ["LocalGrayscale"]


@TRANSFORM.register_module()
class LocalGrayscale:
    """Takes the colours from a random rectangle of an image, with probability ``p``.

    The local grayscale transformation of Gong et al., "A person re-identification data augmentation method with
    adversarial defense effect" (2021): the rectangle is drawn as ``RandomErasing`` draws its own, and holds the grey
    values 0.2989 R + 0.587 G + 0.114 B. Goes before ``Normalize``.

    Args:
        p: probability for each image. [?]
        area: least and greatest share of the image's area, in (0, 1].
        aspect: least and greatest height / width, in (0, 100].

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self, p: float = 0.4, area: Sequence[float] = (0.02, 0.4), aspect: Sequence[float] = (0.3, 3.33)
    ) -> None:
        self.rectangle = RandomRectangle(self, p, area, aspect)

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, 3, H, W) of bytes, with some rectangles grey; raises ConfigError for other images."""
        if images.dtype != torch.uint8:
            raise ConfigError(f"LocalGrayscale: images are {images.dtype}; put it before Normalize")
        _, rectangles = self.rectangle.draw(draw, *images.shape[2:])
        return torch.where(cover(rectangles, images), rgb_to_grayscale(images, num_output_channels=3), images)
