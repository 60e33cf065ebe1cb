"""The reader of your own images in one folder per person."""

from __future__ import annotations

import os
import re

from reidzoo.checks import TEXT, check, optional
from reidzoo.datasets.base import SPLITS, Dataset, examples, image_names
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["FolderDataset"]

CAMERA = re.compile(r"(?:^|[^a-zA-Z0-9])[cC](\d+)")


@DATASET.register_module()
class FolderDataset(Dataset):
    """Images in ``<split>/<person>/``, with the splits train, query and gallery, of which any may be left out.

    Where every person's folder is an integer, it is the pid (-1 is junk); else the names are numbered from 0 in sorted
    order over all splits. The camera is the number after a ``c`` that starts the file name or follows a sign
    (``cat_c3.jpg``: 3), else 0.

    Args:
        root: the folder that holds the datasets.
        folder: the folder of the splits, relative to ``root`` or absolute.
        protocol: the evaluation protocol; by default ``market1501``, or ``camera_free`` if no query or gallery image
            names a camera, since ``market1501`` would then leave out every right answer.

    Raises:
        DatasetError: the folder is not there, or has no image; or some images to train on, or to test on, name a camera
            and others do not.
    """

    name = "FolderDataset"
    required = (SPLITS,)

    def __init__(self, root: str | os.PathLike[str], folder: str, protocol: str | None = None) -> None:
        check(self, TEXT, folder=folder)
        check(self, optional(TEXT), protocol=protocol)
        super().__init__(root, folder)
        self.name = os.path.basename(os.path.abspath(self.folder))
        people = {split: self._people(split) for split in SPLITS}
        names = sorted({name for split in SPLITS for name in people[split]})
        numeric = all(re.fullmatch(r"-1|\d+", name) for name in names)
        self.pid_of = {name: int(name) if numeric else i for i, name in enumerate(names)}
        images = {split: self._images(split, people[split]) for split in SPLITS}
        if not any(images.values()):
            raise DatasetError(f"FolderDataset: {self.folder} holds no image; expected <split>/<person>/<image>")
        _check_cameras(images["train"])
        if protocol != "camera_free":
            _check_cameras([*images["query"], *images["gallery"]])
        cameras = {camera for split in ("query", "gallery") for _, _, camera in images[split]}
        self.protocol = protocol or ("camera_free" if cameras == {None} else "market1501")
        self._records = {
            split: [Record(path, self.pid_of[name], camera or 0) for path, name, camera in images[split]]
            for split in SPLITS
        }

    def _people(self, split: str) -> list[str]:
        path = os.path.join(self.folder, split)
        if not os.path.isdir(path):
            return []
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))

    def _images(self, split: str, people: list[str]) -> list[tuple[str, str, int | None]]:
        images = []
        for person in people:
            folder = os.path.join(self.folder, split, person)
            for name in image_names(folder):
                match = CAMERA.search(name)
                images.append((os.path.join(folder, name), person, int(match[1]) if match else None))
        return images


def _check_cameras(images: list[tuple[str, str, int | None]]) -> None:
    """Raise DatasetError where some names tell the camera and others do not: these would share camera 0 with others."""
    without = [path for path, _, camera in images if camera is None]
    if without and len(without) < len(images):
        named = next(path for path, _, camera in images if camera is not None)
        raise DatasetError(
            f"FolderDataset: {len(without):,} of {len(images):,} images name no camera ({examples(without)}), and the "
            f"others do ({os.path.basename(named)}). Name the camera of all or of none, or list the images in a CSV "
            f"file (CSVDataset)"
        )
