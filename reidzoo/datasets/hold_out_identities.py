"""A wrapper that splits a validation set of other identities off the training images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.checks import check, one_of, whole
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.registry import DATASET

__all__ = ["HoldOutIdentities"]


@DATASET.register_module()
class HoldOutIdentities(DatasetWrapper):
    """A wrapper that holds all training images of some identities out for validation::

        {type: HoldOutIdentities, dataset: Market1501, part: train, held_out: 100, kept: 650}

    ``HoldOut`` holds out images of identities that are trained on; here the two parts share no identity, as training
    and test set do. Query and gallery are the dataset's, in either part. Images without identity (pid -1) are in
    neither.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        part: ``train`` or ``val``.
        held_out: how many identities are held out. Never more than half of them, so that a twin, which has fewer
            identities than its dataset, can be read as its dataset is.
        kept: how many of the others are trained on; 0 for all. Published splits do not always use every identity.
        seed: seed of the draw; not the run's, so that runs of different seeds have the same split.
        root: the folder that holds the datasets.

    Raises:
        ConfigError: an unknown part, or a number out of its range.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        part: str = "train",
        held_out: int = 100,
        kept: int = 0,
        seed: int = 0,
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        check(self, one_of("train", "val"), part=part)
        check(self, whole(1), held_out=held_out)
        check(self, whole(0), kept=kept, seed=seed)
        super().__init__(dataset, root)
        self.kept_part, self.held_out, self.kept, self.seed = part, held_out, kept, seed

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split those of this part's identities."""
        records = super().scan(split)
        if split != "train":
            return records
        pids = np.array(sorted({record.pid for record in records} - {-1}))
        order = np.random.default_rng(self.seed).permutation(pids)
        cut = min(self.held_out, len(order) // 2)
        stop = cut + self.kept if self.kept else None
        part = set((order[:cut] if self.kept_part == "val" else order[cut:stop]).tolist())
        return [record for record in records if record.pid in part]
