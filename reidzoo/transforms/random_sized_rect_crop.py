"""Random crop of varying area and aspect, scaled back to the image's size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.checks import check, number, ordered
from reidzoo.registry import TRANSFORM
from reidzoo.to_device import to_device
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.pieces import gather_pixels
from reidzoo.transforms.random_rectangle import first_fit

__all__ = ["RandomSizedRectCrop"]

ATTEMPTS = 10


@TRANSFORM.register_module()
class RandomSizedRectCrop:
    """Crops each image to a random share of its area at a random ratio of height to width, and scales it back.

    As in the code of open-reid, HHL and ECN: area and ratio are drawn uniformly until the rectangle fits, 10 times at
    most, then its position; where none fits the image stays whole. Interpolation is bilinear.

    Departures: the numbers of all attempts are drawn beforehand, and the crop is taken from the image that was resized
    to ``INPUT.SIZE``, not from the file's, which the authors resize once. For images of the same proportions as
    ``INPUT.SIZE``, such as Market-1501's at 256 x 128, the rectangles are the same.

    Args:
        area: least and greatest share of the image's area.
        aspect: least and greatest height / width.

    Raises:
        ConfigError: a range is not ordered and positive, or an area is greater than 1.
    """

    def __init__(self, area: Sequence[float] = (0.64, 1.0), aspect: Sequence[float] = (2.0, 3.0)) -> None:
        check(self, ordered(number(above=0, most=1)), area=area)
        check(self, ordered(number(above=0, most=100)), aspect=aspect)
        self.area, self.aspect = tuple(area), tuple(aspect)

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, C, H, W), of any dtype, cropped and scaled back."""
        size = (images.shape[2], images.shape[3])
        rectangles = self.rectangles(draw.uniform(2 + 2 * ATTEMPTS), *size)
        if images.device.type != "cpu":
            return scale_rectangles(images, rectangles)
        return torch.cat([_resized(images[i : i + 1], size, *box) for i, box in enumerate(rectangles.tolist())])

    def rectangles(self, numbers: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return the rectangles, int64 (B, 4): top, left, height and width in pixels.

        Args:
            numbers: (B, 22) in [0, 1).
            height: of the images.
            width: of the images.
        """
        position, attempts = numbers[:, :2], numbers[:, 2:]
        whole = (height, width)
        fits, sizes = first_fit(attempts, height * width, self.area, self.aspect, whole)
        sizes = np.where(fits[:, None], sizes, whole)
        corner = np.floor(position * (np.array(whole) + 1 - sizes)).astype(np.int64)
        return np.column_stack([corner, sizes])


def scale_rectangles(images: Tensor, rectangles: np.ndarray) -> Tensor:
    """Return each image's rectangle at the images' size, for the whole batch in a few kernels, which suits a GPU.

    Bilinear, as ``F.interpolate`` has it with ``align_corners=False``; bytes are rounded.

    Args:
        images: (B, C, H, W).
        rectangles: int64 (B, 4): top, left, height and width.
    """
    height, device = images.shape[2], images.device
    (above, below, down), (left, right, across) = (
        _neighbours(rectangles[:, axis, None], rectangles[:, 2 + axis, None], images.shape[2 + axis]) for axis in (0, 1)
    )
    corners = [np.hstack([np.arange(len(images))[:, None], r, c]) for r in (above, below) for c in (left, right)]
    pixels = [gather_pixels(images, places, height).float() for places in to_device(np.stack(corners), device)]
    ways = to_device(np.hstack([down, across]), device)[:, None]
    upper, lower = (torch.lerp(pixels[n], pixels[n + 1], ways[:, :, None, height:]) for n in (0, 2))
    scaled = torch.lerp(upper, lower, ways[:, :, :height, None])
    return scaled if images.is_floating_point() else scaled.round_().to(images.dtype)


def _neighbours(first: np.ndarray, length: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for ``size`` pixels over ``length`` from ``first`` on (B, 1), the pixels to either side and the way."""
    source = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0)
    lower = source.astype(np.int64)
    return first + lower, first + np.minimum(lower + 1, length - 1), (source - lower).astype(np.float32)


def _resized(image: Tensor, size: tuple[int, int], top: int, left: int, height: int, width: int) -> Tensor:
    """Return a rectangle of an image (1, C, H, W) at ``size``."""
    piece = image[:, :, top : top + height, left : left + width]
    if (height, width) == size:
        return piece
    # On a CPU bytes are scaled as they are and rounded; elsewhere they would be cut off.
    exact = piece.is_floating_point() or (piece.dtype == torch.uint8 and piece.device.type == "cpu")
    scaled = F.interpolate(piece if exact else piece.float(), size, mode="bilinear", align_corners=False)
    return scaled if exact else scaled.round_().to(piece.dtype)
