"""Random crop of a fixed size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from reidzoo.checks import check, each, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw
from reidzoo.transforms.pieces import cut_pieces

__all__ = ["RandomCrop"]


@TRANSFORM.register_module()
class RandomCrop:
    """Crops a piece of fixed size at a random position of each image; ``INPUT.SIZE`` is the larger size.

    Args:
        size: height and width of the piece, in pixels.

    Raises:
        ConfigError: ``size`` is not two positive numbers.
    """

    def __init__(self, size: Sequence[int]) -> None:
        check(self, each(whole(1, 4096), 2), size=size)
        self.size = (int(size[0]), int(size[1]))

    def out_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of the pieces, whatever those of the images."""
        return self.size

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the pieces (B, C, *size) of the batch (B, C, H, W), of any dtype.

        Raises:
            ConfigError: the images are smaller than the piece.
        """
        height, width = self.size
        spare = (images.shape[2] - height, images.shape[3] - width)
        if min(spare) < 0:
            raise ConfigError(
                f"RandomCrop: images of {images.shape[2]} x {images.shape[3]} (INPUT.SIZE) hold no piece of "
                f"{height} x {width}; enlarge INPUT.SIZE or lower the crop's size"
            )
        corners = (draw.uniform(2) * (spare[0] + 1, spare[1] + 1)).astype(int)
        return cut_pieces(images, corners, self.size)
