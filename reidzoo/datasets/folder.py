"""The reader of your own images in one folder per person."""

from __future__ import annotations

import os
import re
from typing import Any

from reidzoo.checks import TEXT, Rule, check, optional
from reidzoo.datasets.base import SPLITS, Dataset, examples, image_names
from reidzoo.datasets.numbering import number_cameras, number_names
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["CAMERA", "CAMERA_PATTERN", "FolderDataset", "check_cameras"]

CAMERA = re.compile(r"(?:^|[^a-zA-Z0-9])[cC](\d+)")


def _finds_one_group(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value).groups == 1
    except re.error:
        return False


CAMERA_PATTERN = Rule("a regular expression with one group, such as '_cam([a-z]+)'", _finds_one_group)


@DATASET.register_module()
class FolderDataset(Dataset):
    """Images in ``<split>/<person>/``, with the splits train, query and gallery, of which any may be left out.

    Where every person's folder is an integer of its own, it is the pid (-1 is junk); else the names are numbered from 0
    in sorted order over all splits. The camera is the number after a ``c`` that starts the file name or follows a sign
    (``cat_c3.jpg``: 3), else 0; or what ``camera`` finds there.

    Args:
        root: the folder that holds the datasets.
        folder: the folder of the splits, relative to ``root`` or absolute.
        protocol: the evaluation protocol; by default ``market1501``, or ``camera_free`` if no query or gallery image
            names a camera, since ``market1501`` would then leave out every right answer.
        camera: a regular expression with one group, what it finds in a file's name is the camera: numbers as they are,
            names numbered in sorted order. ``"^([a-z]+)-"`` finds the camera of ``gate-0001.jpg``.

    Attributes:
        pid_of: the number of each person's folder.
        camid_of: the number of each camera as the files' names have it.

    Raises:
        ConfigError: ``camera`` is not a regular expression with one group.
        DatasetError: the folder is not there, or has no image; or some images to train on, or to test on, name a camera
            and others do not.
    """

    name = "FolderDataset"
    required = (SPLITS,)

    def __init__(
        self, root: str | os.PathLike[str], folder: str, protocol: str | None = None, camera: str | None = None
    ) -> None:
        check(self, TEXT, folder=folder)
        check(self, optional(TEXT), protocol=protocol)
        check(self, optional(CAMERA_PATTERN), camera=camera)
        self.camera = re.compile(camera) if camera else CAMERA
        super().__init__(root, folder)
        self.name = os.path.basename(os.path.abspath(self.folder))
        people = {split: self._people(split) for split in SPLITS}
        self.pid_of = number_names(name for split in SPLITS for name in people[split])
        images = {split: self._images(split, people[split]) for split in SPLITS}
        if not any(images.values()):
            raise DatasetError(f"FolderDataset: {self.folder} holds no image; expected <split>/<person>/<image>")
        cameras_of = {split: [(path, camera) for path, _, camera in images[split]] for split in SPLITS}
        check_cameras(self, cameras_of["train"])
        if protocol != "camera_free":
            check_cameras(self, [*cameras_of["query"], *cameras_of["gallery"]])
        cameras = {camera for split in ("query", "gallery") for _, _, camera in images[split]}
        self.protocol = protocol or ("camera_free" if cameras == {None} else "market1501")
        self.camid_of = number_cameras(camera for split in SPLITS for _, _, camera in images[split] if camera)
        self._records = {
            split: [Record(path, self.pid_of[name], self.camid_of[camera] if camera else 0)
                    for path, name, camera in images[split]]
            for split in SPLITS
        }  # fmt: skip

    def _remedies(self) -> list[str]:
        return [
            *super()._remedies(),
            "A folder with a folder for each person is divided by: reidzoo split PEOPLE --output-dir CROPS",
        ]

    def _people(self, split: str) -> list[str]:
        path = os.path.join(self.folder, split)
        if not os.path.isdir(path):
            return []
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))

    def _images(self, split: str, people: list[str]) -> list[tuple[str, str, str | None]]:
        images = []
        for person in people:
            folder = os.path.join(self.folder, split, person)
            for name in image_names(folder):
                match = self.camera.search(name)
                images.append((os.path.join(folder, name), person, match[1] if match else None))
        return images


def check_cameras(dataset: Dataset, images: list[tuple[str, str | None]]) -> None:
    """Raise DatasetError where some images tell the camera and others do not: these would share camera 0 with others.

    Args:
        dataset: the dataset that has the images, for the message.
        images: the path of each image and its camera, None where the name does not tell it.
    """
    without = [path for path, camera in images if camera is None]
    if without and len(without) < len(images):
        named = next(path for path, camera in images if camera is not None)
        raise DatasetError(
            f"{type(dataset).__name__}: {len(without):,} of {len(images):,} images name no camera "
            f"({examples(without)}), and the others do ({os.path.basename(named)}). Name the camera of all or of none, "
            f"or list the images in a CSV file (CSVDataset)"
        )
