"""A stand-in for a table of images that reads no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from reidzoo.engine.image_table import ImageTable

__all__ = ["MadeUpImages"]


class MadeUpImages(ImageTable):
    """Gives noise instead of a table's images; the same batch of rows gives the same noise each time.

    Args:
        table: whose paths and size it has.
    """

    def __init__(self, table: ImageTable) -> None:
        super().__init__(table.paths, table.size, table.interpolation, cache="off", device=table.device)

    def batches(self, batches: Sequence[np.ndarray], workers: int | str) -> Iterator[Tensor]:
        """Yield noise for each batch of rows, made in this process: uint8 (n, 3, H, W)."""
        for rows in batches:
            draw = np.random.default_rng(np.asarray(rows))
            yield torch.from_numpy(draw.integers(0, 256, (len(rows), 3, *self.size), dtype=np.uint8))
