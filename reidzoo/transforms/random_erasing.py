"""Random erasing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.checks import PROBABILITY, check, each, either, number, ordered
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.to_device import to_device
from reidzoo.transforms.draw import BatchDraw

__all__ = ["RandomErasing"]

ATTEMPTS = 100
DRAWS = 3 + 2 * ATTEMPTS
"""How many numbers a rectangle takes: whether, where, and those of the attempts."""
FEW = 8
"""Attempts that are looked at first: one of them fits in nearly every image."""


@TRANSFORM.register_module()
class RandomErasing:
    """Covers a random rectangle of an image with one colour, with probability ``p``.

    Zhong et al., "Random erasing data augmentation" (AAAI 2020), Algorithm 1: a share of the image's area and a ratio
    of height to width are drawn uniformly until the rectangle is smaller than the image both ways, 100 times at most;
    then its position, uniformly. Departure: the numbers of all attempts are drawn beforehand.

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
        check(self, PROBABILITY, p=p)
        check(self, ordered(number(above=0, most=1)), area=area)
        check(self, ordered(number(above=0, most=100)), aspect=aspect)
        check(self, either(number(), each(number(), 3)), fill=fill)
        self.p = p
        self.area = tuple(area)
        self.aspect = tuple(aspect)
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
        erase, rectangles = self.rectangles(draw.uniform(DRAWS), *images.shape[2:])
        rectangles[~erase] = 0
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

    def rectangles(self, numbers: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which images to erase (B,), and rectangles (B, 4): top, left, height and width in pixels.

        Args:
            numbers: (B, 203) in [0, 1).
            height: of the images.
            width: of the images.
        """
        gate, position, attempts = numbers[:, 0], numbers[:, 1:3], numbers[:, 3:]
        rules = (height * width, self.area, self.aspect, (height - 1, width - 1))
        erase, sizes = first_fit(attempts[:, : 2 * FEW], *rules)
        others = np.flatnonzero(~erase)  # nearly always none
        if len(others):
            erase[others], sizes[others] = first_fit(attempts[others], *rules)
        corner = np.floor(position * (np.array([height + 1, width + 1]) - sizes)).astype(np.int64)
        return (gate < self.p) & erase, np.column_stack([corner, sizes])


def first_fit(
    attempts: np.ndarray, pixels: int, area: Sequence[float], aspect: Sequence[float], most: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether an attempt of each image fits (B,), and height and width of the first that does (B, 2), int64.

    Args:
        attempts: (B, 2 n) in [0, 1): an area and a ratio for each of n attempts.
        pixels: of an image.
        area: least and greatest share of the pixels.
        aspect: least and greatest height / width.
        most: the greatest height and width that fit.
    """
    covered = pixels * _between(area, attempts[:, 0::2])
    ratio = _between(aspect, attempts[:, 1::2])
    high = np.rint(np.sqrt(covered * ratio)).astype(np.int64)
    wide = np.rint(np.sqrt(covered / ratio)).astype(np.int64)
    fits = (high <= most[0]) & (wide <= most[1])
    first = np.arange(len(attempts)), fits.argmax(axis=1)
    return fits.any(axis=1), np.stack([high[first], wide[first]], axis=1)


def cover(rectangles: np.ndarray, images: Tensor) -> Tensor:
    """Return which pixels of the images lie in their rectangles (B, 4): bool (B, 1, H, W), on the images' device."""
    height, width = images.shape[2:]
    rows, columns = (
        _within(rectangles[:, axis, None], rectangles[:, 2 + axis, None], size)
        for axis, size in enumerate((height, width))
    )
    inside = to_device(np.hstack([rows, columns]), images.device)[:, None]
    return inside[:, :, :height, None] & inside[:, :, None, height:]


def _within(first: np.ndarray, length: np.ndarray, size: int) -> np.ndarray:
    positions = np.arange(size)
    return (positions >= first) & (positions < first + length)


def _between(bounds: Sequence[float], numbers: np.ndarray) -> np.ndarray:
    return bounds[0] + (bounds[1] - bounds[0]) * numbers
