"""Turns images in any form, and boxes in them, into pixels of a model's size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reidzoo.checks import show
from reidzoo.errors import DatasetError
from reidzoo.transforms import read_image, resize_image
from reidzoo.transforms.decode import BROKEN, UnfitImageError, as_seen, open_image

__all__ = ["CHANNELS", "Images", "OneImage", "PixelSource", "is_single", "listed"]

OneImage = str | os.PathLike[str] | Image.Image | Tensor | np.ndarray
Images = OneImage | Iterable[OneImage]
CHANNELS = ("rgb", "bgr")
MEANT = {
    "NoneType": ", which OpenCV's imread gives for a file that it cannot read",
    "bytes": "; open a file's content with PIL.Image.open(io.BytesIO(content)), and decode a path with os.fsdecode",
}
"""What is said of types that are mistaken for an image."""


class PixelSource:
    """Yields the pixels of images, or of boxes in them.

    Args:
        size: height and width of what is yielded.
        interpolation: as ``read_image`` takes it.
        channels: of arrays, ``rgb``, or ``bgr`` as OpenCV has them; "" where there is no array.
    """

    def __init__(self, size: tuple[int, int], interpolation: str, channels: str = "") -> None:
        if channels not in ("", *CHANNELS):
            raise ValueError(f"channels={channels!r}: 'bgr' (OpenCV) or 'rgb'")
        self.size, self.interpolation, self.channels = size, interpolation, channels

    def whole(self, images: Images) -> Iterator[tuple[str, Tensor]]:
        """Yield each image's name, and the image as uint8 (3, H, W) of the size."""
        for number, image in enumerate(listed(images)):
            if isinstance(image, (str, os.PathLike)):
                yield os.fspath(image), read_image(image, self.size, self.interpolation)
            elif _is_rgb(image) and tuple(image.shape[1:]) == self.size:
                yield f"image {number}", image.cpu()
            else:
                yield f"image {number}", self._resized(self._picture(image, number), f"image {number}")

    def boxes(self, images: Images, boxes: Any) -> Iterator[tuple[str, Tensor]]:
        """Yield each box's name and pixels, as ``whole`` does, image by image; an image is decoded once.

        Args:
            images: as for ``whole``.
            boxes: of a single image (N, 4): left, top, right, bottom in pixels of the image as a viewer shows it, as
                detectors give them; of several images a list of these. What lies outside of the image is cut off.

        Raises:
            ValueError: there is not one array of boxes for each image, it has another shape, or a box has no pixels.
        """
        pictures = list(listed(images))
        given = [boxes] if is_single(images) else list(boxes)
        if len(given) != len(pictures):
            raise ValueError(f"there are boxes of {len(given)} images, and {len(pictures)} images")
        for number, (image, rows) in enumerate(zip(pictures, given)):
            name = os.fspath(image) if isinstance(image, (str, os.PathLike)) else f"image {number}"
            corners = _corners(rows, name)
            if not len(corners):
                continue
            picture = _seen(self._picture(image, number), name)
            for row, corner in enumerate(corners):
                crop = picture.crop(_inside(corner, picture.size, f"{name}, box {row}"))
                yield f"{name}, box {row}", self._resized(crop, name)

    def _picture(self, image: Any, number: int) -> Image.Image:
        """Return a PIL image of the pixels."""
        if isinstance(image, (str, os.PathLike)):
            with open_image(image) as file:
                return as_seen(file)
        if isinstance(image, Tensor):
            if not _is_rgb(image) or 0 in image.shape:
                raise ValueError(
                    f"image {number}: expected RGB pixels 0..255 as a uint8 tensor (3, H, W), got {image.dtype} of "
                    f"shape {tuple(image.shape)}"
                )
            return Image.fromarray(image.cpu().permute(1, 2, 0).contiguous().numpy())
        if isinstance(image, np.ndarray):
            return Image.fromarray(self._array(image, number))
        if not isinstance(image, Image.Image):
            meant = "; open it with PIL.Image.open" if hasattr(image, "read") else MEANT.get(type(image).__name__, "")
            raise TypeError(
                f"image {number}: expected a path, a PIL image, a uint8 tensor (3, H, W) or array (H, W, 3), got "
                f"{type(image).__name__}{meant}"
            )
        return image

    def _array(self, image: np.ndarray, number: int) -> np.ndarray:
        """Return an array's pixels as RGB."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                f"image {number}: expected pixels 0..255 as a uint8 array (H, W, 3), got {image.dtype} of shape "
                f"{image.shape}"
            )
        if not self.channels:
            raise ValueError(
                f"image {number} is an array, which does not say in which order its channels are: "
                f"channels='bgr' for what OpenCV reads, channels='rgb' for what others do"
            )
        return np.ascontiguousarray(image[..., ::-1] if self.channels == "bgr" else image)

    def _resized(self, image: Image.Image, name: str) -> Tensor:
        return resize_image(_seen(image, name), self.size, self.interpolation)


def is_single(images: Any) -> bool:
    """Return whether this is one image, or something that is none, and not several."""
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":  # paths, as a column of a table holds them
        return images.ndim != 1
    if isinstance(images, (Tensor, np.ndarray)):
        return images.ndim != 4
    alone = isinstance(images, (str, bytes, os.PathLike, Image.Image)) or hasattr(images, "read")
    return alone or not isinstance(images, Iterable)


def listed(images: Any) -> Iterable[Any]:
    """Return several images as they are, and one as a list of it."""
    return [images] if is_single(images) else images


def _seen(image: Image.Image, name: str) -> Image.Image:
    """Return a PIL image as a viewer shows it; one that was opened is read here, as late as PIL does it."""
    try:
        return as_seen(image)
    except UnfitImageError as error:
        raise ValueError(f"{name} {error}") from None
    except BROKEN as error:
        raise DatasetError(
            f"{name} cannot be read ({type(error).__name__}: {error}); was it closed, or cut short?"
        ) from None


def _is_rgb(image: Any) -> bool:
    return isinstance(image, Tensor) and image.dtype == torch.uint8 and image.dim() == 3 and len(image) == 3


def _corners(rows: Any, name: str) -> np.ndarray:
    """Return boxes as float64 (N, 4)."""
    try:
        boxes = np.asarray(rows.detach().cpu().double() if isinstance(rows, Tensor) else rows, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: boxes are finite numbers (N, 4): left, top, right, bottom; got {show(rows)}"
        ) from None
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"{name}: boxes are finite numbers (N, 4): left, top, right, bottom; got {boxes.shape}")
    return boxes


def _inside(box: np.ndarray, size: tuple[int, int], name: str) -> tuple[int, int, int, int]:
    """Return the box in whole pixels that lie inside of a picture of ``size``, width and height."""
    limits = np.array([*size, *size])
    left, top, right, bottom = (int(x) for x in np.clip(np.rint(box), 0, limits))
    if left >= right or top >= bottom:
        raise ValueError(f"{name} {box.tolist()} has no pixels in a picture {size[0]} wide and {size[1]} high")
    return left, top, right, bottom
