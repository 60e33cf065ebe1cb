"""Opens the files of many images, and says which of them cannot be read."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable

import numpy as np

from reidzoo.cores import available_cores
from reidzoo.datasets.base import examples
from reidzoo.errors import DatasetError
from reidzoo.transforms import check_header, read_image

__all__ = ["FIND_ALL", "ImageCheck"]

SHOWN = 3
"""How many unreadable images a message describes."""
FIND_ALL = "(`reidzoo check --deep` finds all such images before a run)"
"""Follows a message of an image that cannot be read, where not all pixels were looked at."""


class ImageCheck:
    """Opens image files in several threads, in an order that is spread over all of them.

    Args:
        paths: the files; each is opened once.
        deep: decode the pixels too, not only the header.

    Attributes:
        opened: how many have been opened so far.
        total: how many there are.
    """

    def __init__(self, paths: Iterable[str], deep: bool = False) -> None:
        self.paths = list(dict.fromkeys(paths))
        self.deep, self.opened, self.total = deep, 0, len(self.paths)
        self._found: dict[int, str] = {}
        self._order = iter(np.random.default_rng(0).permutation(self.total).tolist())
        self._lock = threading.Lock()
        self._end = float("inf")

    def run(self, seconds: float | None = None) -> None:
        """Open them all, or as many as that can be in so many seconds.

        Raises:
            DatasetError: some of those that were opened cannot be read; the message says why of the first few.
        """
        self._end = float("inf") if seconds is None else time.monotonic() + seconds
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(8, available_cores()))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            self._end = 0.0  # of an interrupted wait
        if self._found:
            raise DatasetError(self._message())

    @property
    def summary(self) -> str:
        """How many images were opened, in words."""
        return f"{'pixels' if self.deep else 'headers'} of {self.opened:,} of {self.total:,} images read"

    def _work(self) -> None:
        while time.monotonic() < self._end:
            with self._lock:
                rows = list(itertools.islice(self._order, 16))
            if not rows:
                return
            for row in rows:
                self._open(row)
            with self._lock:
                self.opened += len(rows)

    def _open(self, row: int) -> None:
        path = self.paths[row]
        try:
            read_image(path, (8, 8), "nearest") if self.deep else check_header(path)
        except DatasetError as error:
            self._found[row] = str(error)

    def _message(self) -> str:
        rows, more = sorted(self._found), [] if self.deep else [FIND_ALL]
        texts = [self._found[row] for row in rows[:SHOWN]]
        if len(rows) == 1:
            return " ".join([*texts, *more])
        others = [self.paths[row] for row in rows[SHOWN:]]
        rest = [f"and {len(others):,} more: {examples(others)}"] if others else []
        return "\n  ".join([f"{len(rows):,} images cannot be used:", *texts, *rest, *more])
