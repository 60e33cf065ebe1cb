"""A wrapper that replaces training labels by pseudo labels from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from reidzoo.checks import PATH, check
from reidzoo.datasets.base import Dataset, examples, relative_path
from reidzoo.datasets.label_file import read_pseudo_labels
from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["PseudoLabeled"]


@DATASET.register_module()
class PseudoLabeled(DatasetWrapper):
    """A wrapper that takes training pids from a file of pseudo labels and leaves out images labelled -1::

        {type: PseudoLabeled, dataset: {type: MSMT17}, labels: output/stage1/pseudo_labels.csv}

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        labels: the CSV file, columns ``path,label``, one line for every training image of the dataset; paths are
            relative to the dataset's folder.
        root: the folder that holds the datasets.

    Raises:
        DatasetError: the file is missing or malformed; later, if it does not name just the dataset's training images.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        labels: str | os.PathLike[str],
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        check(self, PATH, labels=labels)
        super().__init__(dataset, root)
        self.labels = os.path.expanduser(os.fspath(labels))
        self._label_of = read_pseudo_labels(self.labels)

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split those that have a label, under that label."""
        records = super().scan(split)
        if split != "train":
            return records
        paths = [relative_path(record.path, self.folder) for record in records]
        self._check_images(paths)
        labels = [self._label_of[path] for path in paths]
        return [record._replace(pid=label) for record, label in zip(records, labels) if label != -1]

    def _check_images(self, paths: list[str]) -> None:
        present = set(paths)
        strange = [path for path in self._label_of if path not in present]
        unlabelled = [path for path in paths if path not in self._label_of]
        if strange or unlabelled:
            lines = [
                f"{self.labels} does not label the training images of {self.name} in {self.folder} "
                f"({len(self._label_of)} labelled, {len(paths)} in the dataset):"
            ]
            if strange:
                lines.append(f"  {len(strange)} are labelled but not in the dataset: {examples(strange)}")
            if unlabelled:
                lines.append(f"  {len(unlabelled)} are in the dataset but have no label: {examples(unlabelled)}")
            lines.append("Use the file that was written for this dataset, or run the stage that writes it again.")
            raise DatasetError("\n".join(lines))
