"""A wrapper that replaces training labels by pseudo labels from a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from reidzoo.checks import PATH, check, one_of
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
        oracle: what the true identities do to the labels, to find out what is wrong with them and never to report:
            ``none``; ``split`` parts every label by identity, so that each is pure, and leaves out parts of one image;
            ``merge`` gives the images of an identity one label, so that none is spread over several.
        root: the folder that holds the datasets.

    Raises:
        DatasetError: the file is missing or malformed; later, if it does not name just the dataset's training images.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        labels: str | os.PathLike[str],
        root: str | os.PathLike[str] = "datasets",
        oracle: str = "none",
    ) -> None:
        check(self, PATH, labels=labels)
        check(self, one_of("none", "split", "merge"), oracle=oracle)
        super().__init__(dataset, root)
        self.labels = os.path.expanduser(os.fspath(labels))
        self.oracle = oracle
        self._label_of = read_pseudo_labels(self.labels)

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split those that have a label, under that label."""
        records = super().scan(split)
        if split != "train":
            return records
        paths = [relative_path(record.path, self.folder) for record in records]
        self._check_images(paths)
        labelled = [(record, self._label_of[path]) for record, path in zip(records, paths)]
        labelled = [(record, label) for record, label in labelled if label != -1]
        if self.oracle != "none" and any(record.pid < 0 for record, _ in labelled):
            raise DatasetError(f"PseudoLabeled: oracle: {self.oracle} needs {self.name}'s identities; wrap it as it is")
        if self.oracle == "merge":
            return [record for record, _ in labelled]
        if self.oracle == "split":
            return _split(labelled)
        return [record._replace(pid=label) for record, label in labelled]

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


def _split(labelled: list[tuple[Record, int]]) -> list[Record]:
    """Return the records under a label for each pair of label and identity that has two images or more."""
    sizes = Counter((label, record.pid) for record, label in labelled)
    numbers = {pair: number for number, pair in enumerate(sorted(pair for pair, size in sizes.items() if size > 1))}
    pairs = [(record, (label, record.pid)) for record, label in labelled]
    return [record._replace(pid=numbers[pair]) for record, pair in pairs if pair in numbers]
