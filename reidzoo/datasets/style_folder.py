"""Camera styles from images on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from reidzoo.datasets.base import IMAGE_EXTENSIONS, examples
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError

__all__ = ["StyleFolder"]

PATTERN = re.compile(r"(?P<stem>.+)_fake_(?:(?P<own>\d+)to)?(?P<other>\d+)$")


class StyleFolder:
    """Finds the style images of a folder, and draws for each training image one of its versions.

    Two schemes of names are in use, cameras counted from 1: ``<stem>_fake_<c>to<c'>.jpg`` for Market-1501 and Duke,
    ``<stem>_fake_<c'>.jpg`` for MSMT17; ``<stem>`` is the real image's name and c its camera. Both are read, also from
    folders within the folder. Files of other images or cameras are passed over.

    Args:
        records: the real images, N of them; the C cameras are those that occur.
        folder: the folder of the style images.
        incomplete: what to do where some of the N (C - 1) files are missing: "error", or "allow" to draw among those
            that are there.

    Attributes:
        title: what the styles are, for logs.
        folder: the folder.
        paths: the style images that are used; they are the rows N, N + 1, ... after the real images.
        missing: how many are missing.

    Raises:
        DatasetError: some are missing and may not be; two images have one name; a name tells another camera than the
            image has.
    """

    def __init__(self, records: Sequence[Record], folder: str | os.PathLike[str], incomplete: str = "error") -> None:
        self.folder = os.fspath(folder)
        self.title = f"the style images in {self.folder}"
        cameras = sorted({record.camid for record in records})
        files = self._list_files()
        self._check_stems(records)
        self.paths: list[str] = []
        versions = np.full((len(records), len(cameras)), -1, dtype=np.int64)
        for row, record in enumerate(records):
            for column, camera in enumerate(cameras):
                if camera == record.camid:
                    versions[row, column] = row
                elif (key := (_stem(record.path), camera)) in files:
                    versions[row, column] = len(records) + len(self.paths)
                    self.paths.append(self._checked_path(files[key], record))
        self.missing = int((versions < 0).sum())
        if self.missing and incomplete == "error":
            raise DatasetError(self._report(records, cameras, versions))
        # What is there comes first in each row: a draw among the first so many is a draw among them.
        order = np.argsort(versions < 0, axis=1, kind="stable")
        self._versions = np.take_along_axis(versions, order, axis=1)
        self._counts = (versions >= 0).sum(axis=1)

    def files(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the image to read for each of ``rows`` (n,), drawn uniformly from its versions, the real one included.

        Args:
            rows: int64, of the real images.
            numbers: (n,) in [0, 1).

        Returns:
            int64 (n,): the row itself for the real image, a row from N on for one of ``paths``.
        """
        return self._versions[rows, (numbers * self._counts[rows]).astype(np.int64)]

    def restyle(self, images: Tensor, rows: np.ndarray, numbers: np.ndarray) -> Tensor:
        """Return ``images`` as they are: the style lies in the file."""
        return images

    def _list_files(self) -> dict[tuple[str, int], tuple[str, str | None]]:
        """Return (stem, camera from 0) -> path and the camera that the name says the real image has."""
        files = {}
        for folder, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                stem, extension = os.path.splitext(name)
                match = PATTERN.match(stem)
                if match and extension.lower() in IMAGE_EXTENSIONS:
                    files[match["stem"], int(match["other"]) - 1] = (os.path.join(folder, name), match["own"])
        return files

    @staticmethod
    def _check_stems(records: Sequence[Record]) -> None:
        seen: dict[str, str] = {}
        for record in records:
            other = seen.setdefault(_stem(record.path), record.path)
            if other != record.path:
                raise DatasetError(
                    f"{other} and {record.path} have the same name, so their style images cannot be told apart"
                )

    @staticmethod
    def _checked_path(file: tuple[str, str | None], record: Record) -> str:
        path, named = file
        if named is not None and int(named) != record.camid + 1:
            raise DatasetError(
                f"{path} is named after an image of camera {named}, and {record.path} is of camera {record.camid + 1}: "
                f"are these the style images of this dataset?"
            )
        return path

    def _report(self, records: Sequence[Record], cameras: Sequence[int], versions: np.ndarray) -> str:
        lacking = np.flatnonzero((versions < 0).any(axis=1))
        names = [
            f"{_stem(records[row].path)} under camera {cameras[int(np.argmax(versions[row] < 0))] + 1}"
            for row in lacking[:4]
        ]
        total = len(records) * (len(cameras) - 1)
        return (
            f"{self.missing:,} of the {total:,} style images of {len(records):,} images and {len(cameras)} cameras "
            f"are missing in {self.folder}; {len(lacking):,} images lack at least one: {examples(names)}.\n"
            f"They are called <stem>_fake_<c>to<c'>.jpg or <stem>_fake_<c'>.jpg, cameras counted from 1. Complete the "
            f"folder (projects/CamStyle writes what is missing), or set incomplete: allow to draw among those there."
        )


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]
