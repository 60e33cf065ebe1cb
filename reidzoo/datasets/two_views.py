"""A wrapper that keeps two cameras per training identity: its probe view and its gallery view."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from reidzoo.checks import FLAG, check, one_of, whole
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.datasets.wrapper import DatasetWrapper
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET

__all__ = ["TwoViews"]


@DATASET.register_module()
class TwoViews(DatasetWrapper):
    """A wrapper that keeps two cameras of each training identity; ``viewid`` is 0 (probe) or 1 (gallery).

    Identities that one camera sees have no pair. They are left out, and so are the images of further cameras. Query and
    gallery are the dataset's.

    Args:
        dataset: the wrapped dataset's name, its configuration entry, or the dataset itself.
        views: ``random``: two cameras, drawn for each identity, in random order ("for each person we randomly select
            two cameras to be the probe and gallery views"); ``camera``: the dataset has two, the first is the probe's.
        seed: seed of the draw; not the run's.
        unpaired: keep what would be left out, with ``viewid`` -1: for a stage that classifies, and pairs nothing.
        root: the folder that holds the datasets.

    Raises:
        ConfigError: an unknown value; later, ``views: camera`` with another number of cameras than two.
        DatasetError: when its training images are read, and no identity is seen by two cameras.
    """

    def __init__(
        self,
        dataset: str | Mapping[str, Any] | Dataset,
        views: str = "random",
        seed: int = 0,
        unpaired: bool = False,
        root: str | os.PathLike[str] = "datasets",
    ) -> None:
        check(self, one_of("random", "camera"), views=views)
        check(self, whole(0), seed=seed)
        check(self, FLAG, unpaired=unpaired)
        super().__init__(dataset, root)
        self.views, self.seed, self.unpaired = views, seed, unpaired

    def scan(self, split: str) -> list[Record]:
        """Return the wrapped dataset's records; those of the training split with their views."""
        records = super().scan(split)
        if split != "train":
            return records
        cameras: dict[int, set[int]] = {}
        for record in records:
            cameras.setdefault(record.pid, set()).add(record.camid)
        cameras.pop(-1, None)
        if self.views == "camera" and (count := len({record.camid for record in records})) != 2:
            raise ConfigError(f"TwoViews: {self.name} has {count} cameras, and views: camera needs two; use random")
        chosen = {pid: self._choose(pid, sorted(seen)) for pid, seen in cameras.items() if len(seen) > 1}
        if not chosen:
            raise DatasetError(
                f"TwoViews: no training identity of {self.name} is seen by two cameras; there are no pairs"
            )
        views = [chosen.get(record.pid, {}).get(record.camid, -1) for record in records]
        return [record._replace(viewid=view) for record, view in zip(records, views) if self.unpaired or view >= 0]

    def _choose(self, pid: int, cameras: list[int]) -> dict[int, int]:
        """Return camera -> view of one identity; it does not depend on which others there are."""
        if self.views == "random":
            cameras = np.random.default_rng([self.seed, pid]).permutation(cameras).tolist()[:2]
        return {camera: view for view, camera in enumerate(cameras)}
