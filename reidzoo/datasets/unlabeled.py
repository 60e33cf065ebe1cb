"""A wrapper that hides the training labels from a method."""

from __future__ import annotations

from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.registry import DATASET

__all__ = ["Unlabeled"]


@DATASET.register_module()
class Unlabeled(DatasetWrapper):
    """A wrapper that sets every training pid to -1, so that no method can use the labels by mistake.

    Cameras and times stay; query and gallery keep their pids, which only the evaluation sees::

        {type: Unlabeled, dataset: {type: MSMT17}}
    """

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split without pids."""
        records = super().scan(split)
        return [record._replace(pid=-1) for record in records] if split == "train" else records
