"""The reader of the folder layout that Market-1501 introduced."""

from __future__ import annotations

import os
import re
from functools import cached_property

from reidzoo.datasets.base import Dataset, image_names
from reidzoo.datasets.record import Record

__all__ = ["MarketLayout"]


class MarketLayout(Dataset):
    """Reads a folder of images per split, with identity and camera in the file name: ``<pid>_c<cam>...``.

    Attributes:
        parts: the folder of each split.
        keep_junk: whether the gallery keeps its junk images (pid -1).
    """

    parts = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    required = tuple(parts.values())
    pattern = re.compile(r"(-?\d+)_c(\d+)")
    keep_junk = False

    @cached_property
    def first_camera(self) -> int:
        """The number of the first camera in file names: 1, or 0 where any split has a camera 0."""
        folders = [folder for part in self.parts.values() if os.path.isdir(folder := self.part(part))]
        matches = (self.pattern.match(name) for folder in folders for name in image_names(folder))
        return 0 if any(match and int(match[2]) == 0 for match in matches) else 1

    def scan(self, split: str) -> list[Record]:
        """Read one split; cameras are numbered from 0, where file names number them from 1 or, wrongly, from 0."""
        matches = self.matched_images(self.part(self.parts[split]), self.pattern)
        records = [Record(path, int(match[1]), int(match[2]) - self.first_camera) for path, match in matches]
        if split == "gallery" and not self.keep_junk:
            records = [record for record in records if record.pid != -1]
        return records
