"""The reader of PKU VehicleID."""

from __future__ import annotations

import os

from reidzoo.checks import check, one_of
from reidzoo.datasets.base import Dataset, absent_files, examples
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["VehicleID"]

TEST_SIZES = (800, 1600, 2400, 3200, 6000, 13164)


@DATASET.register_module()
class VehicleID(Dataset):
    """PKU VehicleID (Liu et al., CVPR 2016): 26,328 vehicles, photographed in daylight from the front or from behind.

    ``train_test_split/train_list.txt`` and ``test_list_<size>.txt`` name the images of ``image`` without ``.jpg``, one
    per line with the vehicle: ``0137416 5535``. The release does not tell the cameras: every record has camera 0.

    The test (protocol ``vehicleid``) draws one image of every vehicle into the gallery and queries with all others, ten
    times. It draws from query and gallery together, so ``query`` and ``gallery`` here only split the list in a fixed
    way that other protocols can work with too: the first image listed of each vehicle is the gallery.

    Published are 13,164 training vehicles with 113,346 images; all others of the release's 221,567 are in the largest
    test. The lists were corrected after the paper, whose image counts differ a little, so of a test only the number of
    vehicles, which its name tells, is checked.

    Args:
        root: the folder that holds the datasets.
        test_size: which test list: 800, 1600, 2400 (the paper's small, medium and large), 3200, 6000 or 13164 vehicles.
        folder: the dataset's folder, where it has an unusual name.

    Attributes:
        test_size: as given; the dataset's ``name`` ends with it, so that several sizes can stand in one table.

    Raises:
        ConfigError: there is no test of that size.
    """

    name = "VehicleID"
    protocol = "vehicleid"
    homepage = "https://www.pkuml.org/resources/pku-vehicleid.html (by request to its authors)"
    twin = True
    folders = (
        "VehicleID_V1.0", "VehicleID", "vehicleid/VehicleID_V1.0", "VehicleID/VehicleID_V1.0", "vehicleid",
        "PKU-VehicleID", "PKU_VehicleID",
    )  # fmt: skip

    def __init__(self, root: str | os.PathLike[str], test_size: int = 800, folder: str | None = None) -> None:
        check(self, one_of(*TEST_SIZES), test_size=test_size)
        self.test_size = test_size
        self.name = f"VehicleID-{test_size}"
        self.lists = dict.fromkeys(("query", "gallery"), f"train_test_split/test_list_{test_size}.txt")
        self.lists["train"] = "train_test_split/train_list.txt"
        self.required = ("image", self.lists["train"], self.lists["gallery"])
        self.published = {"train": (13164, 113346), "gallery": (test_size, test_size)}
        super().__init__(root, folder)

    def scan(self, split: str) -> list[Record]:
        """Read one split from its list; every image that it names must be there."""
        records = self._read_list(os.path.join(self.folder, self.lists[split]))
        if split == "train":
            return records
        first: dict[int, Record] = {}
        for record in records:
            first.setdefault(record.pid, record)
        if split == "gallery":
            return list(first.values())
        return [record for record in records if first[record.pid] is not record]

    def attributes(self) -> dict[int, dict[str, int]]:
        """Return pid -> ``{"model": 0 to 249, "color": 0 to 6}`` from the two lists in ``attribute``.

        ``model_attr.txt`` and ``color_attr.txt`` are optional, and not every vehicle is in them: what is in neither is
        not in the answer.

        Raises:
            DatasetError: a line is not two numbers, the vehicle and its label.
        """
        labels_of: dict[int, dict[str, int]] = {}
        for key in ("model", "color"):
            path = os.path.join(self.folder, "attribute", f"{key}_attr.txt")
            if os.path.isfile(path):
                for pid, label in _read_pairs(path, "5535 12"):
                    labels_of.setdefault(int(pid), {})[key] = label
        return labels_of

    def _read_list(self, path: str) -> list[Record]:
        images = os.path.join(self.folder, "image")
        pairs = _read_pairs(path, "0137416 5535")
        if not pairs:
            problem = f"{self.name}: {path} names no image; was the archive unpacked completely?"
            raise DatasetError("\n".join([problem, *self._remedies()]))
        names = [name if name.lower().endswith(".jpg") else f"{name}.jpg" for name, _ in pairs]
        records = [Record(os.path.join(images, name), pid, 0) for name, (_, pid) in zip(names, pairs)]
        absent = absent_files(record.path for record in records)
        if absent:
            raise DatasetError(
                f"{self.name}: {len(absent)} of the {len(records)} images that {path} names are not there: "
                f"{examples(absent)}. Was the archive unpacked completely?"
            )
        return records


def _read_pairs(path: str, example: str) -> list[tuple[str, int]]:
    """Return (first field, number in the second field) of every line that is not empty."""
    pairs = []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 2 or not fields[0].removesuffix(".jpg").isdecimal() or not fields[1].isdecimal():
                raise DatasetError(f"{path}:{number}: expected {example!r}, got {line.strip()!r}")
            pairs.append((fields[0], int(fields[1])))
    return pairs
