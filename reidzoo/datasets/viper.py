"""The reader of VIPeR."""

from __future__ import annotations

import os
import re

import numpy as np

from reidzoo.checks import check, whole
from reidzoo.datasets.base import Dataset, examples
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["VIPeR"]


@DATASET.register_module()
class VIPeR(Dataset):
    """VIPeR (Gray et al., PETS 2007): 632 pedestrians, each once by two outdoor cameras, 128 x 48 pixels.

    Files in ``cam_a`` and ``cam_b`` are named ``000_45.bmp``: identity, and the viewpoint in degrees. Half of the
    identities, drawn at random, are for training; of the others camera a has the queries and camera b the gallery. Ten
    such splits are usually averaged. No list of them is published: ``split`` k is numpy's permutation of the sorted
    identities by seed k.

    Args:
        root: the folder that holds the datasets.
        split: which split, 0 or more; ``run:seed`` in a configuration gives each seed its own.
        folder: the dataset's folder, where it has an unusual name; it holds ``cam_a`` and ``cam_b``.

    Raises:
        ConfigError: ``split`` is not an integer from 0 on.
        DatasetError: an identity is missing under one of the cameras, or there twice.
    """

    name = "VIPeR"
    protocol = "cuhk03"
    repeats = 1  # the gallery has one image of each identity: nothing is left to draw
    homepage = "https://vision.soe.ucsc.edu/node/178"
    twin = True
    folders = ("VIPeR", "VIPeR.v1.0/VIPeR", "VIPeR.v1.0", "viper/VIPeR", "viper")
    required = ("cam_a", "cam_b")
    published = {"train": (316, 632), "query": (316, 316), "gallery": (316, 316)}
    pattern = re.compile(r"(\d+)_(\d+)\.")

    def __init__(self, root: str | os.PathLike[str], split: int = 0, folder: str | None = None) -> None:
        check(self, whole(0), split=split)
        self.split = split
        super().__init__(root, folder)

    def scan(self, split: str) -> list[Record]:
        """Read one split: both cameras of the training identities, camera a of the test's for query, b for gallery."""
        sides = [self._read(camid, name) for camid, name in enumerate(self.required)]
        if sides[0].keys() != sides[1].keys():
            lonely = sorted(sides[0].keys() ^ sides[1].keys())
            raise DatasetError(
                f"{self.name}: {len(lonely)} identities are in one of {self.folder}/cam_a and cam_b only: "
                f"{examples([str(pid) for pid in lonely])}. Was the archive unpacked completely?"
            )
        order = np.random.default_rng(self.split).permutation(sorted(sides[0])).tolist()
        half = len(order) // 2
        chosen = sorted(order[:half] if split == "train" else order[half:])
        cameras = {"train": (0, 1), "query": (0,), "gallery": (1,)}[split]
        return [sides[camid][pid] for camid in cameras for pid in chosen]

    def _read(self, camid: int, name: str) -> dict[int, Record]:
        """Return pid -> record of one camera."""
        matches = self.matched_images(self.part(name), self.pattern)
        records = {int(match[1]): Record(path, int(match[1]), camid) for path, match in matches}
        if len(records) != len(matches):
            raise DatasetError(f"{self.name}: {self.part(name)} holds more than one image of an identity")
        return records
