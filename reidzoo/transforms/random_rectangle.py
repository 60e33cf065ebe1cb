"""Random rectangles, one for each image of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from reidzoo.checks import PROBABILITY, check, number, ordered
from reidzoo.to_device import to_device
from reidzoo.transforms.draw import BatchDraw

__all__ = ["RandomRectangle", "cover", "first_fit"]

ATTEMPTS = 100
FEW = 8
"""Attempts that are looked at first: one of them fits in nearly every image."""


class RandomRectangle:
    """Draws a rectangle in an image, with probability ``p``, as random erasing does.

    Zhong et al., "Random erasing data augmentation" (AAAI 2020), Algorithm 1: a share of the image's area and a ratio
    of height to width are drawn uniformly until the rectangle is smaller than the image both ways, 100 times at most;
    then its position, uniformly. Departure: the numbers of all attempts are drawn beforehand.

    Args:
        owner: the transform whose arguments the others are, for messages.
        p: probability for each image.
        area: least and greatest share of the image's area, in (0, 1].
        aspect: least and greatest height / width, in (0, 100].

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, owner: object, p: float, area: Sequence[float], aspect: Sequence[float]) -> None:
        check(owner, PROBABILITY, p=p)
        check(owner, ordered(number(above=0, most=1)), area=area)
        check(owner, ordered(number(above=0, most=100)), aspect=aspect)
        self.p, self.area, self.aspect = p, tuple(area), tuple(aspect)

    def draw(self, draw: BatchDraw, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which images get a rectangle (B,), and rectangles (B, 4): top, left, height and width in pixels.

        Height and width are 0 where an image gets none.

        Args:
            draw: the numbers, of which each image takes 203.
            height: of the images.
            width: of the images.
        """
        numbers = draw.uniform(3 + 2 * ATTEMPTS)
        gate, position, attempts = numbers[:, 0], numbers[:, 1:3], numbers[:, 3:]
        rules = (height * width, self.area, self.aspect, (height - 1, width - 1))
        chosen, sizes = first_fit(attempts[:, : 2 * FEW], *rules)
        others = np.flatnonzero(~chosen)  # nearly always none
        if len(others):
            chosen[others], sizes[others] = first_fit(attempts[others], *rules)
        corner = np.floor(position * (np.array([height + 1, width + 1]) - sizes)).astype(np.int64)
        chosen &= gate < self.p
        return chosen, np.column_stack([corner, np.where(chosen[:, None], sizes, 0)])


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
