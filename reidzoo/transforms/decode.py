"""Decoding and resizing of image files."""

from __future__ import annotations

import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reidzoo.errors import ConfigError, DatasetError

__all__ = ["read_image", "resize_image"]

INTERPOLATIONS = {method.name.lower(): method for method in Image.Resampling}


def read_image(path: str | os.PathLike[str], size: tuple[int, int], interpolation: str = "bicubic") -> Tensor:
    """Return an image as RGB, resized: uint8 (3, H, W).

    A JPEG of at least four times the size both ways is decoded at half, a quarter or an eighth of its size, which is
    much faster; what is then resized is still at least twice as large as asked for. Its pixels differ slightly from
    those of full decoding. Smaller images, as all re-identification datasets have, are decoded in full.

    Args:
        path: the file.
        size: H and W.
        interpolation: nearest, bilinear, bicubic, lanczos, box or hamming.

    Raises:
        DatasetError: the file is missing or cannot be read as an image.
        ConfigError: an unknown interpolation.
    """
    _method(interpolation)
    height, width = size
    try:
        with Image.open(path) as file:
            file.draft("RGB", (2 * width, 2 * height))
            image = file.convert("RGB")
    except FileNotFoundError:
        raise DatasetError(f"image {os.fspath(path)} does not exist; is the dataset complete?") from None
    # What PIL raises for broken files varies with the format.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"image {os.fspath(path)} cannot be read ({type(error).__name__}: {error}); copy it again, or remove it"
        ) from None
    return resize_image(image, size, interpolation)


def resize_image(image: Image.Image, size: tuple[int, int], interpolation: str = "bicubic") -> Tensor:
    """Return an opened image as RGB, resized: uint8 (3, H, W); the arguments are those of ``read_image``.

    Raises:
        ConfigError: an unknown interpolation.
    """
    height, width = size
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != (width, height):
        image = image.resize((width, height), _method(interpolation))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _method(interpolation: str) -> Image.Resampling:
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(f"unknown interpolation {interpolation!r}; there are {', '.join(INTERPOLATIONS)}")
    return INTERPOLATIONS[interpolation]
