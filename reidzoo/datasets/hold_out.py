"""A wrapper that splits a validation set off the training images, with the same identities."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.checks import check, one_of, whole
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["HoldOut"]


@DATASET.register_module()
class HoldOut(DatasetWrapper):
    """A wrapper that holds some training images of each identity out for validation::

        {type: HoldOut, dataset: DukeMTMC, part: train}
        {type: HoldOut, dataset: DukeMTMC, part: val}

    Of each identity some images are held out, drawn from its images in the order of their paths; an identity keeps at
    least one for training, and images without identity (pid -1) are all for training. The draw depends on ``seed`` and
    the images' names alone, so both parts of a dataset, built apart, share no image and lack none. Query and gallery
    are the dataset's, in either part.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        part: ``train`` or ``val``.
        per_identity: how many images of an identity are held out.
        seed: seed of the draw; not the run's, so that runs of different seeds have the same split.
        root: the folder that holds the datasets.

    Raises:
        ConfigError: an unknown part, or a number below 1.
        DatasetError: when its training images are read, and no identity has two.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        part: str = "train",
        per_identity: int = 1,
        seed: int = 0,
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        check(self, one_of("train", "val"), part=part)
        check(self, whole(1), per_identity=per_identity)
        check(self, whole(0), seed=seed)
        super().__init__(dataset, root)
        self.kept_part, self.per_identity, self.seed = part, per_identity, seed

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split those of this part, in the dataset's order."""
        records = super().scan(split)
        if split != "train":
            return records
        held = self._held_out(records)
        if not held:
            raise DatasetError(f"{self.name}: no identity has two training images, so that none can be held out")
        return [record for row, record in enumerate(records) if (row in held) == (self.kept_part == "val")]

    def _held_out(self, records: list[Record]) -> set[int]:
        """Return the rows that are held out."""
        rows_of = self._rows_of(records, "pid")
        rows_of.pop(-1, None)
        rng = np.random.default_rng(self.seed)
        held: set[int] = set()
        for _, rows in sorted(rows_of.items()):
            held.update(rng.permutation(rows)[: min(self.per_identity, len(rows) - 1)].tolist())
        return held
