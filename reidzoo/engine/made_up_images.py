"""A stand-in for a table of images that reads no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.engine.image_table import ImageTable

__all__ = ["MadeUpImages"]


class MadeUpImages(ImageTable):
    """Gives noise in the place of the images of a table; an image is the same each time.

    Args:
        table: whose paths and size it has.
    """

    def __init__(self, table: ImageTable) -> None:
        super().__init__(table.paths, table.size, table.interpolation, cache="off")

    def _read(self, row: int) -> Tensor:
        pixels = np.random.default_rng(int(row)).integers(0, 256, (3, *self.size), dtype=np.uint8)
        return torch.from_numpy(pixels)

    def batches(
        self, rows: list[np.ndarray], workers: int, pin: bool = False, read: Callable[[np.ndarray], Any] | None = None
    ) -> Iterator[Any]:
        """Yield noise for each list of rows, made in this process."""
        yield from map(read or self.__getitem__, rows)
