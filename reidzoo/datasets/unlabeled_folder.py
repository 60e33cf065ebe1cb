"""The reader of your own images of unknown people: a folder of crops without labels."""

from __future__ import annotations

import os
import re

from reidzoo.checks import PATH, check, optional
from reidzoo.datasets.base import Dataset, images_below
from reidzoo.datasets.folder import CAMERA, CAMERA_PATTERN, check_cameras
from reidzoo.datasets.numbering import number_cameras
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.registry import DATASET

__all__ = ["UnlabeledFolder"]


@DATASET.register_module()
class UnlabeledFolder(Dataset):
    """The images of a folder and of all folders in it, for training without labels: their pid is -1.

    What the folders are called says nothing of identities. The camera is the number after a ``c`` that starts the path
    below ``folder``, its parts joined by ``_``, or follows a sign (``c2/0001.jpg`` and ``0001_c2.jpg``: 2), else 0; or
    what ``camera`` finds there. There is no query and no gallery: test on a dataset whose people are known.

    Args:
        root: the folder that holds the datasets.
        folder: the folder of the images, relative to ``root`` or absolute; hidden folders and files are skipped.
        camera: a regular expression with one group, what it finds in a path is the camera: numbers as they are, names
            numbered in sorted order. ``"^([a-z]+)_"`` finds the camera of ``gate/0001.jpg``.

    Attributes:
        camid_of: the number of each camera as the paths have it.

    Raises:
        ConfigError: ``camera`` is not a regular expression with one group.
        DatasetError: the folder is not there, or has no image; or some images name a camera and others do not.
    """

    name = "UnlabeledFolder"

    def __init__(self, root: str | os.PathLike[str], folder: str, camera: str | None = None) -> None:
        check(self, PATH, folder=folder)
        check(self, optional(CAMERA_PATTERN), camera=camera)
        self.camera = re.compile(camera) if camera else CAMERA
        super().__init__(root, folder)
        self.name = os.path.basename(os.path.abspath(self.folder))
        images = self._images()
        if not images:
            raise DatasetError(f"UnlabeledFolder: {self.folder} holds no image, nor does a folder in it")
        check_cameras(self, images)
        self.camid_of = number_cameras(camera for _, camera in images if camera)
        train = [Record(path, -1, self.camid_of[camera] if camera else 0) for path, camera in images]
        self._records = {"train": train, "query": [], "gallery": []}

    def _images(self) -> list[tuple[str, str | None]]:
        """Return every image's path, and its camera or None."""
        paths = images_below(self.folder)
        matches = [self.camera.search(os.path.relpath(path, self.folder).replace(os.sep, "_")) for path in paths]
        return [(path, match[1] if match else None) for path, match in zip(paths, matches)]
