"""The base class of datasets made from another one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reidzoo.datasets.base import Dataset, relative_path
from reidzoo.datasets.build import build_dataset
from reidzoo.datasets.record import Record

__all__ = ["DatasetWrapper"]

PASSED_ON = (
    "name", "protocol", "repeats", "homepage", "twin", "folders", "required", "root", "folder", "is_twin",
)  # fmt: skip


class DatasetWrapper(Dataset):
    """Passes another dataset's records and attributes on; subclasses change some of the records.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        root: the folder that holds the datasets.

    Attributes:
        dataset: the wrapped dataset.
    """

    # The wrapped dataset checks its own counts.
    published: dict[str, tuple[int, int]] = {}

    def __init__(self, dataset: str | Mapping[str, Any] | Dataset, root: str | os.PathLike[str] = "datasets") -> None:
        self.dataset = build_dataset(dataset, root)
        for attribute in PASSED_ON:
            if hasattr(self.dataset, attribute):
                setattr(self, attribute, getattr(self.dataset, attribute))
        self._records: dict[str, list[Record]] = {}

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records of one split."""
        return self.dataset.records(split)

    def _rows_of(self, records: Sequence[Record], field: str) -> dict[int, list[int]]:
        """Return each value of ``field`` in ``records`` with the rows that have it, in the order of their paths."""
        rows_of: dict[int, list[int]] = defaultdict(list)
        for row in sorted(range(len(records)), key=lambda row: relative_path(records[row].path, self.folder)):
            rows_of[getattr(records[row], field)].append(row)
        return rows_of
