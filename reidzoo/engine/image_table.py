"""The table of a run's images: decodes, resizes and caches them by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from reidzoo.engine.image_cache import Block, current_cache
from reidzoo.engine.image_check import FIND_ALL
from reidzoo.engine.workers import PREFETCH, count_with_room, worker_count
from reidzoo.errors import DatasetError, UserError
from reidzoo.to_device import to_device
from reidzoo.transforms import read_images

__all__ = ["ImageTable"]


class ImageTable:
    """Reads images by row, decoded and resized to uint8, and keeps them where they fit.

    Workers decode only, each kept image once in a run; the table itself lies in this process alone, or on a GPU. So
    neither their number nor what is kept changes a pixel.

    Args:
        paths: the image files.
        size: (height, width).
        interpolation: how to resize, as ``read_image`` names it.
        cache: ``auto`` (in memory, where they fit), ``on`` (in memory), ``device`` (on ``device``, where they fit, or
            else as ``auto``; on a CPU as ``on``) or ``off``.
        device: where the images are wanted.
    """

    def __init__(
        self,
        paths: list[str],
        size: tuple[int, int],
        interpolation: str,
        cache: str = "auto",
        device: torch.device | str = "cpu",
    ) -> None:
        self.paths, self.size, self.interpolation = paths, (int(size[0]), int(size[1])), interpolation
        self.device = torch.device(device)
        self._read = partial(read_images, size=self.size, interpolation=interpolation)
        self._blocks: list[Block] = []
        self._block, self._row = np.full((2, len(paths)), -1)
        store, kind = current_cache(), (self.size, interpolation)
        if cache == "device" and self.device.type != "cpu":
            self._blocks, (self._block, self._row) = store.place(self, paths, (*kind, self.device), bounded=True)
        if cache != "off" and (self._block < 0).any():
            bounded = cache == "auto" or (cache == "device" and self.device.type != "cpu")
            self._blocks, (self._block, self._row) = store.place(self, paths, (*kind, torch.device("cpu")), bounded)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        """Return the images of ``rows`` as uint8 (len(rows), 3, H, W)."""
        return next(self.batches([np.asarray(rows)], 0))

    def read_or_report(self, rows: np.ndarray) -> tuple[Tensor, list[tuple[int, str]]]:
        """Return the images of ``rows`` that can be read, uint8 (n, 3, H, W), and (row, why) of those that cannot.

        They are read from their files and not kept.
        """
        images, unreadable = [torch.empty((0, 3, *self.size), dtype=torch.uint8)], []
        for row in map(int, rows):
            try:
                images.append(self._read([self.paths[row]]))
            except DatasetError as error:
                unreadable.append((row, str(error)))
        return torch.cat(images), unreadable

    def batches(self, batches: Sequence[np.ndarray], workers: int | str) -> Iterator[Tensor]:
        """Yield the images of each batch of rows, in order, uint8 (n, 3, H, W).

        They lie where they are kept: on the table's device, or in memory, page-locked if that device is a GPU.

        Args:
            batches: one array of row numbers for each batch.
            workers: processes that decode what is not kept yet; 0 decodes in this one. See ``worker_count``.

        Raises:
            DatasetError: an image cannot be read.
        """
        missing = self._missing(batches)
        work = [[self.paths[row] for row in rows] for rows in missing if len(rows)]
        decoded = _results(work, partial(_read_all, self._read), self._workers(workers, work), self._pins)
        for rows, new in zip(batches, missing):
            images = next(decoded) if len(new) else torch.empty((0, 3, *self.size), dtype=torch.uint8)
            yield images if rows is new else self._taken(rows, new, images)

    def count_workers(self, batches: Sequence[np.ndarray], workers: int | str) -> int:
        """Return how many processes ``batches`` would have decode what is not kept yet; 0 where all of it is."""
        missing = [rows for rows in self._missing(batches) if len(rows)]
        return self._workers(workers, missing) if missing else 0

    def batches_or_report(
        self, batches: Sequence[np.ndarray], workers: int | str
    ) -> Iterator[tuple[Tensor, list[tuple[int, str]]]]:
        """Yield what ``read_or_report`` gives for each batch of rows, in order."""
        yield from _results(batches, self.read_or_report, self._workers(workers, batches))

    @property
    def _pins(self) -> bool:
        return self.device.type == "cuda"

    def _workers(self, workers: int | str, batches: Sequence[Any]) -> int:
        sizes = list(map(len, batches))
        count = worker_count(workers, sum(sizes), self.device)
        return count_with_room(count, 3 * self.size[0] * self.size[1] * max(sizes, default=0))

    def _missing(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the rows to decode for each batch: a kept image the first time it comes, the others each time."""
        if not self._blocks:
            return list(batches)
        kept = self._block >= 0
        ready = kept.copy()
        for number, block in enumerate(self._blocks):
            mine = self._block == number
            ready[mine] = block.filled[self._row[mine]]
        missing = []
        for rows in batches:
            missing.append(np.unique(rows[~ready[rows]]))
            ready[missing[-1]] = kept[missing[-1]]
        return missing

    def _taken(self, rows: np.ndarray, new: np.ndarray, images: Tensor) -> Tensor:
        """Keep the decoded ``images`` of the rows ``new`` that have a place, and return the images of ``rows``."""
        for number, block in enumerate(self._blocks):
            mine = np.flatnonzero(self._block[new] == number)
            if len(mine):
                block.put(self._row[new[mine]], images if len(mine) == len(new) else images[torch.from_numpy(mine)])
        if len(self._blocks) == 1 and (self._block[rows] == 0).all():
            return self._blocks[0].take(self._row[rows], self._pins)
        return self._collected(rows, new, images)

    def _collected(self, rows: np.ndarray, new: np.ndarray, images: Tensor) -> Tensor:
        """Return the images of ``rows`` from several blocks, and from the decoded ``images`` of the rows ``new``."""
        device = self._blocks[0].images.device
        result = torch.empty((len(rows), 3, *self.size), dtype=torch.uint8, device=device)
        for number in np.unique(self._block[rows]):
            mine = np.flatnonzero(self._block[rows] == number)
            if number < 0:
                part = images[torch.from_numpy(np.searchsorted(new, rows[mine]))]
            else:
                part = self._blocks[number].take(self._row[rows[mine]], False)
            result.index_copy_(0, to_device(mine, device), part)
        return result.pin_memory() if self._pins and device.type == "cpu" else result


def _results(work: Sequence[Any], read: Callable[[Any], Any], workers: int, pin: bool = False) -> Iterator[Any]:
    """Yield the result of ``read`` for each piece of ``work``, in order; ``workers`` processes call it.

    Raises:
        UserError: what ``read`` raises, without the loader's traceback in it.
    """
    loader: Iterable[Any] = DataLoader(
        work,  # type: ignore[arg-type]  # any sequence is a dataset; torch's annotation says Dataset
        batch_size=None,
        collate_fn=partial(_result_or_error, read),  # is given one piece of work
        num_workers=workers,
        prefetch_factor=PREFETCH if workers else None,
        pin_memory=pin,
        generator=torch.Generator(),  # or the loader draws from torch's, once more in a resumed run
    )
    for item in loader:
        if isinstance(item, UserError):
            raise item
        yield item


def _read_all(read: Callable[[Any], Tensor], paths: Sequence[str]) -> Tensor:
    """Return the images, of which each is needed: who meets one that cannot be read wants to know of all."""
    try:
        return read(paths)
    except DatasetError as error:
        raise DatasetError(f"{error} {FIND_ALL}") from None


def _result_or_error(read: Callable[[Any], Any], piece: Any) -> Any:
    try:
        return read(piece)
    except UserError as error:
        return error
