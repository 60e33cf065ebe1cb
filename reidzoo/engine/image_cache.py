"""The decoded images of a run, kept by path, so that its stages and evaluations decode each of them once."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.engine.workers import processes_here
from reidzoo.to_device import to_device

__all__ = ["ImageCache", "current_cache", "keep_images"]

logger = logging.getLogger("reidzoo")

UNKNOWN_LIMIT = 4 << 30
"""Most bytes of images where the system does not tell how much memory is free (Market-1501 at 256 x 128 is 1.3 GB)."""

Kind = tuple[tuple[int, int], str, torch.device]
"""Height and width, interpolation, and where the pixels lie: images that differ in one are not the same image."""


class Block:
    """Images of one kind that were first asked for together.

    Attributes:
        images: uint8 (n, 3, H, W), on the CPU or on a GPU.
        filled: bool (n,), which of them are decoded.
        users: the tables that read from it.
    """

    def __init__(self, paths: Sequence[str], kind: Kind) -> None:
        self.paths, (size, _, device) = list(paths), kind
        self.images = torch.empty((len(paths), 3, *size), dtype=torch.uint8, device=device)
        self.filled = np.zeros(len(paths), dtype=bool)
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()

    def put(self, rows: np.ndarray, images: Tensor) -> None:
        """Keep decoded ``images`` as ``rows``."""
        device = self.images.device
        if device.type == "cuda":
            images = images.pin_memory().to(device, non_blocking=True)
        self.images.index_copy_(0, to_device(rows, device), images)
        self.filled[rows] = True

    def take(self, rows: np.ndarray, pin: bool) -> Tensor:
        """Return the images of ``rows``, on the block's device; ``pin`` for page-locked memory on the CPU."""
        if pin and self.images.device.type == "cpu":
            images = torch.empty((len(rows), *self.images.shape[1:]), dtype=torch.uint8, pin_memory=True)
            return torch.index_select(self.images, 0, torch.from_numpy(rows), out=images)
        return self.images.index_select(0, to_device(rows, self.images.device))


class ImageCache:
    """Keeps decoded images in memory, or on a GPU, within a limit for each of them.

    What no table uses any more stays until a new one needs its place: the next stage and the next evaluation find it.
    Memory is taken as images are decoded.
    """

    def __init__(self) -> None:
        self.blocks: dict[Kind, list[Block]] = {}
        self.limits: dict[torch.device, int] = {}

    def place(self, user: object, paths: Sequence[str], kind: Kind, bounded: bool) -> tuple[list[Block], np.ndarray]:
        """Find or make a place for every image.

        Args:
            user: the table that is going to read them.
            paths: the files.
            kind: size, interpolation and device.
            bounded: whether the limit holds; if not, all are kept.

        Returns:
            Blocks, and int64 (2, N): the number of each image's block, -1 where it is not kept, and its row in there.
        """
        wanted = set(paths)
        blocks = [block for block in self.blocks.get(kind, []) if not wanted.isdisjoint(block.paths)]
        for block in blocks:
            block.users.add(user)
            wanted.difference_update(block.paths)
        new = [path for path in dict.fromkeys(paths) if path in wanted]
        if new and (not bounded or self._make_room(len(new), len(paths), kind)):
            blocks.append(Block(new, kind))
            blocks[-1].users.add(user)
            self.blocks.setdefault(kind, []).append(blocks[-1])
        places = {path: (n, row) for n, block in enumerate(blocks) for row, path in enumerate(block.paths)}
        return blocks, np.array([places.get(path, (-1, -1)) for path in paths], dtype=np.int64).reshape(-1, 2).T

    def _make_room(self, count: int, of: int, kind: Kind) -> bool:
        """Return whether ``count`` images fit, after dropping the oldest ones that no table uses, if need be."""
        device, needed = kind[2], count * _bytes(kind)
        limit = self.limits.setdefault(device, _limit(device))
        if needed > limit - self._used(device):
            gc.collect()  # tables of earlier stages hang in cycles
        left = limit - self._used(device, by_tables=True)
        if needed > left:
            where = "in memory" if device.type == "cpu" else f"on {device}"
            logger.info(
                "%s of %s images are not kept %s, where they take %.1f GB and %.1f GB are left",
                f"{count:,}", f"{of:,}", where, needed / 1e9, left / 1e9,
            )  # fmt: skip
            return False
        unused = [(key, block) for key, blocks in self.blocks.items() for block in blocks if not block.users]
        for key, block in unused:
            if key[2] == device and needed > limit - self._used(device):
                self.blocks[key].remove(block)
        return True

    def _used(self, device: torch.device, by_tables: bool = False) -> int:
        return sum(
            len(block.paths) * _bytes(kind)
            for kind, blocks in self.blocks.items()
            if kind[2] == device
            for block in blocks
            if block.users or not by_tables
        )


_caches: list[ImageCache] = []


def current_cache() -> ImageCache:
    """Return the cache of the run that is under way; where there is none, a new one for one table."""
    return _caches[-1] if _caches else ImageCache()


@contextmanager
def keep_images() -> Iterator[ImageCache]:
    """Make all tables that are built inside the block share one cache; its memory is freed on exit."""
    _caches.append(ImageCache())
    try:
        yield _caches[-1]
    finally:
        _caches.pop()


def _bytes(kind: Kind) -> int:
    (height, width), _, _ = kind
    return 3 * height * width


def _limit(device: torch.device) -> int:
    """Return the most bytes of images on ``device``: half of a GPU's free memory, a quarter of the machine's.

    The processes of a run that share a machine share its quarter.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return _free_memory() // 4 // processes_here()


def _free_memory() -> int:
    """Return the bytes that this process may still take: of the machine, or of its control group if that has less."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 4 * UNKNOWN_LIMIT
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        return min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no such group, or no limit
        return free
