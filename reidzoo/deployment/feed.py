"""The input that a program feeds a graph with: the pixels' size, order of colours, range and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Feed"]


@dataclass(frozen=True)
class Feed:
    """The description of a graph's input (B, 3, H, W): each value is ``(scale * pixel - mean) / std``, pixel in 0..255.

    Attributes:
        name: what it is called: ``normalised``, ``unit``, ``uint8``, or a program's name.
        size: H and W of the images.
        scale: 1 for pixels in 0..255, 1/255 for [0, 1].
        mean: per channel, R, G, B, in scaled units.
        std: likewise.
        dtype: ``float32`` or ``uint8``.
        order: ``rgb`` or ``bgr``, the order of the channels.
    """

    name: str
    size: tuple[int, int]
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    dtype: str = "float32"
    order: str = "rgb"

    @classmethod
    def normalised(cls, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> Feed:
        """Return the feed of pixels in [0, 1] that are normalised outside of the graph."""
        return cls("normalised", size, mean=tuple(mean), std=tuple(std))

    @classmethod
    def unit(cls, size: tuple[int, int]) -> Feed:
        """Return the feed of pixels in [0, 1]."""
        return cls("unit", size)

    @classmethod
    def uint8(cls, size: tuple[int, int]) -> Feed:
        """Return the feed of bytes."""
        return cls("uint8", size, scale=1.0, dtype="uint8")

    def prepare(self, pixels: Tensor) -> np.ndarray:
        """Return the graph's input, as the program computes it, for RGB pixels (B, 3, H, W) in 0..255."""
        if self.dtype == "uint8":
            values = pixels.round().clamp(0, 255).to(torch.uint8)
        else:
            mean, std = (torch.tensor(each)[:, None, None] for each in (self.mean, self.std))
            values = (pixels.float() * self.scale - mean) / std
        return np.ascontiguousarray((values.flip(1) if self.order == "bgr" else values).numpy())

    def affine(self, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Return factor and offset, each (3, 1, 1), that make pixels normalised by ``mean`` and ``std`` of fed values.

        ``factor * value + offset = (pixel / 255 - mean) / std``, in RGB.
        """
        own_mean, own_std = torch.tensor(self.mean).double(), torch.tensor(self.std).double()
        to_mean, to_std = torch.tensor(list(mean)).double(), torch.tensor(list(std)).double()
        factor = own_std / (255 * self.scale) / to_std
        offset = (own_mean / (255 * self.scale) - to_mean) / to_std
        return factor.float()[:, None, None], offset.float()[:, None, None]

    def describe(self) -> dict[str, Any]:
        """Return the facts for a file's metadata."""
        return {
            "input": self.name,
            "size": list(self.size),
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "dtype": self.dtype,
            "colour_order": self.order,
        }
