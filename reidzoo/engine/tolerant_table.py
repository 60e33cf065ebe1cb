"""Images of which some cannot be read."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.engine.loader import ImageTable
from reidzoo.errors import DatasetError

__all__ = ["TolerantTable"]


class TolerantTable(ImageTable):
    """An image table that goes on behind an unreadable image and says which it was.

    Args:
        paths, size, interpolation: as for `ImageTable`; nothing is kept in memory.
    """

    def __init__(self, paths: list[str], size: tuple[int, int], interpolation: str) -> None:
        super().__init__(paths, size, interpolation, cache="off")

    def __getitem__(self, rows: np.ndarray) -> tuple[Tensor, list[tuple[int, str]]]:
        """Return the images of ``rows`` that can be read, uint8 (n, 3, H, W), and (row, why) of those that cannot."""
        images, unreadable = [torch.empty((0, 3, *self.size), dtype=torch.uint8)], []
        for row in map(int, rows):
            try:
                images.append(self._read(row)[None])
            except DatasetError as error:
                unreadable.append((row, str(error)))
        return torch.cat(images), unreadable
