"""Random translation by zero padding and a crop of the old size."""

from __future__ import annotations

from torch import Tensor

from reidzoo.checks import check, whole
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.pieces import cut_pieces

__all__ = ["PadCrop"]


@TRANSFORM.register_module()
class PadCrop:
    """Pads every side with zeros and crops each image to its old size at a random position.

    Zero is black in uint8 images; on normalised images it is their mean. The papers pad before normalising.

    Args:
        pad: pixels per side, 0 to 1024; every offset of 0..2 pad is equally likely in both directions.

    Raises:
        ConfigError: ``pad`` is out of its range.
    """

    def __init__(self, pad: int = 10) -> None:
        check(self, whole(0, 1024), pad=pad)
        self.pad = pad

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, C, H, W), of any dtype, shifted."""
        corners = (draw.uniform(2) * (2 * self.pad + 1)).astype(int) - self.pad
        return cut_pieces(images, corners, (images.shape[2], images.shape[3]))
