"""The table of a run's images: decodes, resizes and caches them by row."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reidzoo.errors import DatasetError, UserError
from reidzoo.transforms import read_images

__all__ = ["ImageTable"]

CACHE_LIMIT = 4 << 30
"""Most bytes of decoded images that ``auto`` keeps in memory (Market-1501 at 256 x 128 is 1.3 GB)."""


class ImageTable(Dataset):
    """Reads images by row, decoded and resized to uint8, and caches them where they fit in memory.

    Args:
        paths: the image files.
        size: (height, width).
        interpolation: how to resize, as ``read_image`` names it.
        cache: ``auto``, ``on`` or ``off``.
        shared: whether worker processes read, so that the cache must lie in shared memory.
    """

    def __init__(
        self, paths: list[str], size: tuple[int, int], interpolation: str, cache: str = "auto", shared: bool = False
    ) -> None:
        self.paths, self.size, self.interpolation = paths, (int(size[0]), int(size[1])), interpolation
        self.images = self.filled = None
        needed = len(paths) * 3 * self.size[0] * self.size[1]
        if cache == "on" or (cache == "auto" and needed <= min(CACHE_LIMIT, _free_shared() if shared else CACHE_LIMIT)):
            self.images = torch.empty((len(paths), 3, *self.size), dtype=torch.uint8)
            self.filled = torch.zeros(len(paths), dtype=torch.bool)
            if shared:
                self.images.share_memory_()
                self.filled.share_memory_()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        """Return the images of ``rows`` as uint8 (len(rows), 3, H, W)."""
        if self.images is None or self.filled is None:
            return self._read(rows)
        places = torch.as_tensor(rows)
        missing = places[~self.filled[places]].unique()
        if len(missing):
            self.images[missing] = self._read(missing.tolist())
            self.filled[missing] = True
        return self.images.index_select(0, places)

    def _read(self, rows: Iterable[int]) -> Tensor:
        return read_images([self.paths[row] for row in rows], self.size, self.interpolation)

    def read_or_say(self, rows: np.ndarray) -> tuple[Tensor, list[tuple[int, str]]]:
        """Return the images of ``rows`` that can be read, uint8 (n, 3, H, W), and (row, why) of those that cannot.

        They are read from their files and not kept.
        """
        images, unreadable = [torch.empty((0, 3, *self.size), dtype=torch.uint8)], []
        for row in map(int, rows):
            try:
                images.append(self._read([row]))
            except DatasetError as error:
                unreadable.append((row, str(error)))
        return torch.cat(images), unreadable

    def batches(
        self, rows: list[np.ndarray], workers: int, pin: bool = False, read: Callable[[np.ndarray], Any] | None = None
    ) -> Iterator[Any]:
        """Yield the result of ``read`` for each list of rows, in order; ``workers`` processes call it.

        Args:
            rows: one array of row numbers for each batch.
            workers: processes that read; 0 reads in this one.
            pin: put the images into page-locked memory.
            read: ``read_or_say``; by default the images of the rows, of which each must be readable.

        Raises:
            DatasetError: an image cannot be read.
        """
        loader: Iterable[Any] = DataLoader(
            rows,  # type: ignore[arg-type]  # any sequence is a dataset; torch's annotation says Dataset
            batch_size=None,
            collate_fn=partial(_read_or_return_error, read or self.__getitem__),  # is given one entry of ``rows``
            num_workers=workers,
            pin_memory=pin,
            generator=torch.Generator(),  # or the loader draws from torch's, once more in a resumed run
        )
        for item in loader:
            if isinstance(item, UserError):
                raise item
            yield item


def _read_or_return_error(read: Callable[[np.ndarray], Any], rows: np.ndarray) -> Any:
    """Return what ``read`` does, or a user's mistake: what a worker raises comes with the loader's traceback in it."""
    try:
        return read(rows)
    except UserError as error:
        return error


def _free_shared() -> int:
    """Return half of the free shared memory, in bytes; containers often have little."""
    return shutil.disk_usage("/dev/shm").free // 2 if Path("/dev/shm").is_dir() else CACHE_LIMIT
