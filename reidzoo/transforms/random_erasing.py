"""Random erasing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.checks import check, each, either, number
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.random_rectangle import RandomRectangle, cover

__all__ = ["RandomErasing"]


@TRANSFORM.register_module()
class RandomErasing:
    """Covers a random rectangle of an image with one colour, with probability ``p``.

    Zhong et al., "Random erasing data augmentation" (AAAI 2020); ``RandomRectangle`` says how the rectangle is drawn.

    Goes after ``Normalize``: ``fill`` is written into the normalised images as it stands. The default is ImageNet's
    mean in units of 0..1, as in the code of MMT, SpCL and DomainMix, which normalise first; there it is a grey somewhat
    lighter than the mean colour. ``fill: 0.0`` is the mean colour.

    Args:
        p: probability for each image.
        area: least and greatest share of the image's area, in (0, 1].
        aspect: least and greatest height / width, in (0, 100].
        fill: one number, or one per channel.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self,
        p: float = 0.5,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 3.33),
        fill: float | Sequence[float] = (0.485, 0.456, 0.406),
    ) -> None:
        self.rectangle = RandomRectangle(self, p, area, aspect)
        check(self, either(number(), each(number(), 3)), fill=fill)
        self._fill = torch.tensor(fill, dtype=torch.float32).reshape(-1, 1, 1)

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, C, H, W) of normalised images; it is written in place.

        Raises:
            ConfigError: the images are not floating, so not normalised.
        """
        if not images.is_floating_point():
            raise ConfigError(f"RandomErasing: images are {images.dtype}; put it after Normalize")
        if self._fill.device != images.device:
            self._fill = self._fill.to(images.device)
        erase, rectangles = self.rectangle.draw(draw, *images.shape[2:])
        if images.device.type != "cpu":
            return torch.where(cover(rectangles, images), self._fill, images, out=images)
        pixels: Any = images
        fill: Any = self._fill
        if images.dtype != torch.bfloat16:  # which numpy does not have
            pixels, fill = images.numpy(), self._fill.numpy()
        for i in np.flatnonzero(erase):  # a few rows of pixels each, where a mask would touch them all
            top, left, height, width = rectangles[i].tolist()
            pixels[i, :, top : top + height, left : left + width] = fill
        return images
