"""The images of a dataset with their labels and with what was read of their files, as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from reidzoo.datasets import Dataset, Record
from reidzoo.datasets.base import SPLITS, relative_path
from reidzoo.datasets.names import Names
from reidzoo.inspection.image_facts import ImageFacts, read_facts

__all__ = ["InspectedImages"]


class InspectedImages:
    """All images of a dataset, train first, then query and gallery; N of them.

    Args:
        dataset: it is read.
        workers: threads that read files; by default one for each processor.

    Attributes:
        records: the labels (N).
        facts: of each file (N); a file that is in several splits is read once.
        split: the name of each one's split, (N,).
        pid, camid: int64 (N,).
        good: bool (N,), whether the file can be read.
        title: the dataset's name.
        names: of its identities and cameras.
    """

    def __init__(self, dataset: Dataset, workers: int | None = None) -> None:
        self.dataset, self.title, self.names = dataset, dataset.name, Names.of(dataset)
        self.records: list[Record] = [record for split in SPLITS for record in dataset.records(split)]
        self.split = np.array([split for split in SPLITS for _ in dataset.records(split)], dtype="U7")
        self.pid = np.array([record.pid for record in self.records], np.int64)
        self.camid = np.array([record.camid for record in self.records], np.int64)
        paths = list(dict.fromkeys(record.path for record in self.records))
        facts = dict(zip(paths, read_facts(paths, workers)))
        self.facts: list[ImageFacts] = [facts[record.path] for record in self.records]
        self.good = np.array([not fact.error for fact in self.facts], bool)

    def column(self, name: str) -> np.ndarray:
        """Return one fact of all images, (N, ...)."""
        return np.array([getattr(fact, name) for fact in self.facts])

    def rows(self, *splits: str) -> np.ndarray:
        """Return the rows of splits, in ascending order."""
        return np.flatnonzero(np.isin(self.split, splits))

    def shown(self, row: int) -> str:
        """Return an image's path as it is shown: relative to the dataset's folder where it is in it."""
        return relative_path(os.path.abspath(self.records[row].path), os.path.abspath(self.dataset.folder))

    def size(self, row: int) -> str:
        """Return an image's height and width in words."""
        return f"{self.facts[row].height} high, {self.facts[row].width} wide"

    @property
    def has_cameras(self) -> bool:
        """Whether cameras are known; where they are not, all images are of camera 0."""
        return self.names.cameras is None or bool(self.names.cameras)

    def label(self, row: int) -> str:
        """Return an image's identity and, where it is known, its camera in words."""
        camera = f", camera {self.names.camera(self.camid[row])}" if self.has_cameras else ""
        return f"identity {self.names.person(self.pid[row])}{camera}"

    def paths(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> list[str]:
        """Return the paths of rows, as shown."""
        return [self.shown(int(row)) for row in rows]
