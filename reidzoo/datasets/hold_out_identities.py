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
from reidzoo.errors import DatasetError
from reidzoo.evaluation import PROTOCOLS
from reidzoo.registry import DATASET

__all__ = ["HoldOutIdentities"]


@DATASET.register_module()
class HoldOutIdentities(DatasetWrapper):
    """A wrapper that holds all training images of some identities out for validation::

        {type: HoldOutIdentities, dataset: Market1501, part: train, held_out: 100, kept: 650}

    ``HoldOut`` holds out images of identities that are trained on; here the two parts share no identity, as training
    and test set do. Images without identity (pid -1) are in neither.

    Query and gallery are the dataset's with ``part: train``. With ``part: val``, which is then called ``NAME val``,
    they are made of the held-out images: of each identity one image of every camera but one is a query, and all others
    are the gallery, so that each query has a match in another camera. Where the protocol takes no account of cameras,
    one image of each identity that has two is a query.

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
        DatasetError: when the query or the gallery of ``part: val`` is read, and no identity gives a query.
    """

    tests_its_part = True

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
        if part == "val":
            self.name = f"{self.name} val"

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records of this part's identities; of ``part: train``, its query and gallery."""
        if split == "train":
            return self._part()
        if self.kept_part == "train":
            return super().scan(split)
        held, queries = self._part(), self._queries()
        return [record for row, record in enumerate(held) if (row in queries) == (split == "query")]

    def _queries(self) -> set[int]:
        """Return which rows of the held-out images are queries."""
        protocol = PROTOCOLS.get(self.protocol) if isinstance(self.protocol, str) else self.protocol
        by_camera = getattr(protocol, "needs_cameras", True)
        seen: dict[int, dict[int, list[int]]] = {}
        for row, record in enumerate(self._part()):
            seen.setdefault(record.pid, {}).setdefault(record.camid if by_camera else row, []).append(row)
        rng = np.random.default_rng([self.seed, 1])
        queries: set[int] = set()
        for _, cameras in sorted(seen.items()):
            several = rng.permutation(sorted(cameras)).tolist()[:-1]
            queries.update(int(rng.choice(cameras[camera])) for camera in several[: None if by_camera else 1])
        if not queries:
            raise DatasetError(
                f"{self.name}: none of {len(seen)} held-out identities has images of two cameras, so that there is no "
                f"query; hold more identities out, or name another dataset to validate on"
            )
        return queries

    def _part(self) -> list[Record]:
        """Return the training images of this part's identities."""
        records = super().scan("train")
        pids = np.array(sorted({record.pid for record in records} - {-1}))
        order = np.random.default_rng(self.seed).permutation(pids)
        cut = min(self.held_out, len(order) // 2)
        stop = cut + self.kept if self.kept else None
        part = set((order[:cut] if self.kept_part == "val" else order[cut:stop]).tolist())
        return [record for record in records if record.pid in part]
