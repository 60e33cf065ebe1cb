"""Resizes a crop as each program does: each has its own way, and a model notices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from reidzoo.transforms import read_image

__all__ = ["Resize", "by_opencv", "by_pil", "by_torch", "read_rgb"]

Resize = Callable[[str, tuple[int, int]], Tensor]
"""Reads a file and resizes it: (path, (height, width)) -> RGB pixels (3, H, W) in 0..255."""


def read_rgb(path: str) -> np.ndarray:
    """Return an image's pixels, uint8 (H, W, 3), RGB."""
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def by_pil(interpolation: str) -> Resize:
    """Return PIL's resizing, which filters what it makes smaller, as models here are trained with."""
    return lambda path, size: read_image(path, size, interpolation).float()


def by_opencv(path: str, size: tuple[int, int]) -> Tensor:
    """Resize by OpenCV's ``INTER_LINEAR``, which does not filter what it makes smaller."""
    import cv2

    pixels = cv2.resize(read_rgb(path), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(pixels).permute(2, 0, 1).float()


def by_torch(path: str, size: tuple[int, int]) -> Tensor:
    """Resize by torch's bilinear interpolation without antialiasing, in floating point."""
    pixels = torch.from_numpy(read_rgb(path).copy()).permute(2, 0, 1).float()
    return functional.interpolate(pixels[None], size=size, mode="bilinear", align_corners=False)[0]
