"""The reader of MSMT17, versions 1 and 2."""

from __future__ import annotations

import os
import re

from reidzoo.checks import check, one_of
from reidzoo.datasets.base import Dataset, absent_files, examples
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["MSMT17"]

LISTS = {
    "train": ("list_train.txt", "list_val.txt"),
    "query": ("list_query.txt",),
    "gallery": ("list_gallery.txt",),
}
PARTS = {"train": (1041, 30248), "val": (1041, 2373)}
TIMES = {"morning": 0, "noon": 1, "afternoon": 2}


@DATASET.register_module()
class MSMT17(Dataset):
    """MSMT17 (Wei et al., CVPR 2018): 4,101 pedestrians under 15 cameras, at three times of day on four days.

    Version 1 keeps its images in ``train`` and ``test``, version 2 (the same images with faces blurred) in
    ``mask_train_v2`` and ``mask_test_v2``; both name them in four lists, ``0000/0000_000_01_0303morning_0015_0.jpg 0``:
    the identity's folder, and in the name identity, image, camera, day and time, frame, box; then the pid. Training is
    ``list_train`` and ``list_val`` together, which show the same 1,041 identities; ``part: train`` and ``part: val``
    are either of them, a split for validation by the authors of MSMT17. The test identities are numbered
    from 0 again: pid 0 is not a distractor here, and it is another person than pid 0 of the training images.

    Args:
        root: the folder that holds the datasets.
        folder: the dataset's folder, where it has an unusual name, or to choose between the versions if both are there
            (version 1 is found first).
        part: of the training images: ``all``, ``train`` (30,248) or ``val`` (2,373).

    Raises:
        ConfigError: an unknown part.
    """

    name = "MSMT17"
    homepage = "https://www.pkuvmc.com/dataset.html (by request to its authors)"
    twin = True
    folders = (
        "MSMT17_V1", "msmt17/MSMT17_V1", "MSMT17/MSMT17_V1", "msmt17v1/MSMT17_V1", "MSMT17_V2", "msmt17/MSMT17_V2",
        "MSMT17/MSMT17_V2", "msmt17v2/MSMT17_V2", "MSMT17", "msmt17",
    )  # fmt: skip
    required = (
        ("train", "mask_train_v2"), ("test", "mask_test_v2"),
        "list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt",
    )  # fmt: skip
    published = {"train": (1041, 32621), "query": (3060, 11659), "gallery": (3060, 82161)}
    pattern = re.compile(r"(?:[^/]*/)?[^_/]+_[^_/]+_(\d+)_\d*(morning|noon|afternoon)")

    def __init__(self, root: str | os.PathLike[str] = "datasets", folder: str | None = None, part: str = "all") -> None:
        check(self, one_of("all", "train", "val"), part=part)
        super().__init__(root, folder)
        self.train_lists = {"all": LISTS["train"], "train": ("list_train.txt",), "val": ("list_val.txt",)}[part]
        if part != "all":
            self.published = {**self.published, "train": PARTS[part]}

    def scan(self, split: str) -> list[Record]:
        """Read the lists of one split; every image they name must be there."""
        images = self.part("train", "mask_train_v2") if split == "train" else self.part("test", "mask_test_v2")
        records = []
        for name in self.train_lists if split == "train" else LISTS[split]:
            listed = self._read_list(self.part(name), images)
            absent = absent_files(record.path for record in listed)
            if absent:
                raise DatasetError(
                    f"MSMT17: {len(absent)} of the {len(listed)} images that {self.part(name)} names are not there: "
                    f"{examples(absent)}. Was the archive unpacked completely?"
                )
            records += listed
        return records

    def _read_list(self, path: str, images: str) -> list[Record]:
        records = []
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.split()
                if not fields:
                    continue
                match = self.pattern.match(fields[0]) if len(fields) == 2 else None
                if match is None or not fields[1].isdecimal():
                    raise DatasetError(
                        f"{path}:{number}: expected '0000/0000_000_01_0303morning_0015_0.jpg 0', got {line.strip()!r}"
                    )
                image = os.path.join(images, *fields[0].split("/"))
                records.append(Record(image, int(fields[1]), int(match[1]) - 1, timeid=TIMES[match[2]]))
        return records
