"""The reader of CUHK03 under its classic protocol."""

from __future__ import annotations

import json
import logging
import os
import re

import numpy as np

from reidzoo.checks import check, one_of, whole
from reidzoo.datasets.base import Dataset
from reidzoo.datasets.record import Record
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET

logger = logging.getLogger("reidzoo")

__all__ = ["CUHK03"]


@DATASET.register_module()
class CUHK03(Dataset):
    """CUHK03 (Li et al., CVPR 2014) with its classic protocol: 100 test identities, single-shot, 20 splits.

    The release is one MATLAB file. This reads what torchreid extracts from it when it first loads the dataset (its
    ``CUHK03``, which needs h5py): ``images_labeled/1_001_1_01.png``, pair of cameras, person, view and image, and
    ``splits_classic_labeled.json`` next to it with the release's own 20 test sets. Without that file ``split`` k is a
    draw of ``test_identities`` by seed k.

    The three pairs of cameras that the paper counts have 1,360 identities; the release has 1,467 in five. Each person
    is seen by one pair: the records' cameras are its two views, as in ``CUHK03NP``. Queries are the test identities'
    images of the first view, the gallery those of the second, of which the protocol draws one for each identity, 20
    times.

    Args:
        root: the folder that holds the datasets.
        boxes: ``"labeled"``, drawn by hand, or ``"detected"``, from a DPM detector.
        split: which split, 0 or more, below 20 where the file is there; ``run:seed`` in a configuration gives each seed
            its own.
        pairs: how many pairs of cameras; 3 or 5.
        test_identities: how many identities are tested on where the splits are drawn.
        folder: the dataset's folder, where it has an unusual name.

    Raises:
        ConfigError: an option has a value that is not listed.
        DatasetError: the file of splits cannot be read, or names no identity that is in the folder.
    """

    name = "CUHK03"
    protocol = "cuhk03"
    repeats = 20
    homepage = (
        "http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html (by request to its authors); torchreid's CUHK03 "
        "extracts the images from cuhk-03.mat"
    )
    twin = True
    folders = ("cuhk03", "CUHK03", "CUHK-03", "cuhk-03", "cuhk03_release")
    pattern = re.compile(r"(\d)_(\d+)_([12])_(\d+)\.")

    def __init__(
        self,
        root: str | os.PathLike[str],
        boxes: str = "labeled",
        split: int = 0,
        pairs: int = 3,
        test_identities: int = 100,
        folder: str | None = None,
    ) -> None:
        check(self, one_of("labeled", "detected"), boxes=boxes)
        check(self, whole(0), split=split)
        check(self, whole(1), pairs=pairs, test_identities=test_identities)
        self.boxes, self.split, self.pairs, self.test_identities = boxes, split, pairs, test_identities
        self.name = "CUHK03" if boxes == "labeled" else "CUHK03-detected"
        self._images = f"images_{boxes}"
        self.required = (self._images,)
        self.twin = boxes == "labeled"
        self._all_records: list[Record] = []
        super().__init__(root, folder)

    def scan(self, split: str) -> list[Record]:
        """Read one split; a pid is 1000 times the pair of cameras and the person's number in it."""
        records = self._read()
        test = self._test_identities({record.pid for record in records})
        if split == "train":
            return [record for record in records if record.pid not in test]
        view = 0 if split == "query" else 1
        return [record for record in records if record.pid in test and record.camid == view]

    def _read(self) -> list[Record]:
        """Return the records of all images of the chosen camera pairs."""
        if not self._all_records:
            matches = self.matched_images(self.part(self._images), self.pattern)
            self._all_records = [
                Record(path, _pid(match), int(match[3]) - 1) for path, match in matches if int(match[1]) <= self.pairs
            ]
        return self._all_records

    def _test_identities(self, pids: set[int]) -> set[int]:
        """Return the split's test identities, from the file or by a draw."""
        path = os.path.join(self.folder, f"splits_classic_{self.boxes}.json")
        if not os.path.isfile(path):
            order = np.random.default_rng(self.split).permutation(sorted(pids))
            return set(order[: self.test_identities].tolist())
        try:
            with open(path, encoding="utf-8") as file:
                splits = json.load(file)
            listed = [entry[0] for entry in splits[self.split]["query"]] if self.split < len(splits) else None
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DatasetError(
                f"{path}: expected a list of splits, each with 'query': [[image, person, camera], ...]: "
                f"{type(error).__name__}: {error}. Remove the file to have the splits drawn."
            ) from None
        if listed is None:
            raise ConfigError(f"CUHK03: split is {self.split}; {path} has splits 0 to {len(splits) - 1}")
        matches = [self.pattern.match(os.path.basename(str(name))) for name in listed]
        test_pids = {_pid(match) for match in matches if match}
        present = test_pids & pids
        if 0 < len(present) < len(test_pids):
            logger.warning(
                "%s: split %d tests on %d identities, of which the folder has %d (of %d camera pairs): figures of this "
                "copy are not the benchmark's",
                path, self.split, len(test_pids), len(present), self.pairs,
            )  # fmt: skip
        if not present:
            raise DatasetError(f"{path}: split {self.split} names no identity of {self.folder}/{self.required[0]}")
        return present


def _pid(match: re.Match[str]) -> int:
    return 1000 * int(match[1]) + int(match[2])
