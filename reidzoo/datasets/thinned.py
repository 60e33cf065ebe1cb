"""A wrapper that leaves out training images until cameras have given frequencies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reidzoo.checks import check, each, number, whole
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["Thinned"]


@DATASET.register_module()
class Thinned(DatasetWrapper):
    """A wrapper that draws training images so that each camera has its share of them::

        {type: Thinned, dataset: DukeMTMC, shares: [2809, 3009, 1088, 1395, 1685, 3700, 1330, 1506]}

    As many images are kept as the shares allow: of one camera all, of the others some. Images without identity (pid
    -1) go as the others do; query and gallery are the dataset's. The draw depends on ``seed`` and the images' names
    alone.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        shares: of camera 0, 1, ...; they need not add up to 1. Every camera of the dataset has one, above 0.
        seed: seed of the draw; not the run's.
        root: the folder that holds the datasets.

    Raises:
        ConfigError: a share is not above 0.
        DatasetError: when its training images are read, and there are not as many cameras as shares.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        shares: Sequence[float],
        seed: int = 0,
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        check(self, each(number(above=0), least=1), shares=shares)
        check(self, whole(0), seed=seed)
        super().__init__(dataset, root)
        self.shares, self.seed = np.array(shares, np.float64), seed

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records, of the training split those that are kept, in the dataset's order."""
        records = super().scan(split)
        if split != "train":
            return records
        kept = self._kept(records)
        return [record for row, record in enumerate(records) if row in kept]

    def _kept(self, records: list[Record]) -> set[int]:
        """Return the rows that are kept."""
        rows_of = self._rows_of(records, "camid")
        if sorted(rows_of) != list(range(len(self.shares))):
            raise DatasetError(
                f"{self.name}: Thinned has shares of cameras 0 to {len(self.shares) - 1}, and the training images are "
                f"of cameras {', '.join(map(str, sorted(rows_of)))}"
            )
        per_share = min(len(rows) / self.shares[camera] for camera, rows in rows_of.items())
        rng = np.random.default_rng(self.seed)
        kept: set[int] = set()
        for camera, rows in sorted(rows_of.items()):
            count = max(round(per_share * self.shares[camera]), 1)
            kept.update(rng.permutation(rows)[:count].tolist())
        return kept
