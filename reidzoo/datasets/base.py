"""The base class of dataset readers: finds the folder, reports what is missing, checks the published counts."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from reidzoo.checks import PATH, check, optional
from reidzoo.datasets.record import Record
from reidzoo.errors import DatasetError
from reidzoo.files import printable

__all__ = [
    "IMAGE_EXTENSIONS",
    "SPLITS",
    "Dataset",
    "absent_files",
    "check_names",
    "examples",
    "image_names",
    "images_below",
    "relative_path",
    "shortened",
]

SPLITS = ("train", "query", "gallery")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

logger = logging.getLogger("reidzoo")


class Dataset:
    """A dataset on disk: its ``train``, ``query`` and ``gallery`` records, each read when first asked for.

    A reader names its folders and files in the class attributes and defines ``scan``. Images are never opened here.

    Args:
        root: the folder that holds the datasets (``DATASETS.ROOT``).
        folder: the dataset's own folder, relative to ``root`` or absolute, where it is none of ``folders``.

    Attributes:
        name: the name for logs and tables.
        protocol: the evaluation protocol that the dataset is published with.
        repeats: how often a single-shot protocol draws its gallery; None for the protocol's own number.
        homepage: where the dataset is obtained, in words that may follow "Obtain it from".
        twin: whether ``reidzoo render`` draws a small twin of it.
        folders: accepted folders under ``root``, the preferred first.
        required: names inside the folder without which it is not the dataset; a tuple of names means any of them.
        published: the paper's (identities, images) of each split, junk (-1) not counted.
        folder: the dataset's folder that was found.
        is_twin: whether that folder, or one above it below ``root``, holds ``twin.json``: it was rendered, and its
            counts are not checked.

    Raises:
        DatasetError: no accepted folder holds all required names.
    """

    name = "Dataset"
    protocol = "market1501"
    repeats: int | None = None
    homepage = ""
    twin = False
    folders: tuple[str, ...] = ()
    required: tuple[str | tuple[str, ...], ...] = ()
    published: dict[str, tuple[int, int]] = {}

    def __init__(self, root: str | os.PathLike[str], folder: str | None = None) -> None:
        check(self, PATH, root=root)
        check(self, optional(PATH), folder=folder)
        self.root = os.path.expanduser(os.fspath(root))
        self.folder = self._locate((folder,) if folder else self.folders)
        self.is_twin = self._holds_twin()
        self._records: dict[str, list[Record]] = {}

    @property
    def train(self) -> list[Record]:
        """The training images."""
        return self.records("train")

    @property
    def query(self) -> list[Record]:
        """The query images; empty where the dataset is for training only."""
        return self.records("query")

    @property
    def gallery(self) -> list[Record]:
        """The gallery images; empty where the dataset is for training only."""
        return self.records("gallery")

    def records(self, split: str) -> list[Record]:
        """Return the records of ``"train"``, ``"query"`` or ``"gallery"``, sorted by file name within a folder.

        Raises:
            DatasetError: there is no such split, a file's name is not of this dataset, a listed file is absent, or a
                path, a pid or a camera is none.
        """
        if split not in self._records:
            if split not in SPLITS:
                raise DatasetError(f"{self.name}: there is no split {split!r}; there are {', '.join(SPLITS)}")
            records = self.scan(split)
            if not isinstance(records, list) or not all(hasattr(record, "camid") for record in records):
                raise DatasetError(f"{self.name}: scan({split!r}) is to return a list of reidzoo.datasets.Record")
            records = [_with_text(record) for record in records]
            self._check_records([record for record in records if isinstance(record, Record)])
            self._records[split] = records
            self._check_counts(split)
        return self._records[split]

    def _check_records(self, records: Sequence[Record]) -> None:
        if strange := [record for record in records if not isinstance(record.path, str)]:
            raise DatasetError(
                f"{self.name}: {len(strange)} images have a path that is no text, such as {strange[0].path!r}; give "
                f"str(path)"
            )
        self._check_ids(records)
        late = [record for record in records if not (_is_whole(record.timeid) and _is_whole(record.viewid))]
        if late := late or [record for record in records if min(record.timeid, record.viewid) < -1]:
            raise DatasetError(
                f"{self.name}: {len(late)} images have a timeid or a viewid that is none, such as {late[0].path}: "
                f"{late[0].timeid!r} and {late[0].viewid!r}. Both are whole numbers from 0 on, or -1 where unknown"
            )

    def _check_ids(self, records: Sequence[Record]) -> None:
        odd = [record for record in records if not (_is_whole(record.pid) and _is_whole(record.camid))]
        if odd := odd or [record for record in records if record.pid < -1]:
            raise DatasetError(
                f"{self.name}: {len(odd)} images have a pid or a camera that is none, such as {odd[0].path}: pid "
                f"{odd[0].pid!r}, camera {odd[0].camid!r}. Both are whole numbers; a pid is 0 or more, or -1 for nobody"
            )
        if wrong := [record for record in records if record.camid < 0]:
            raise DatasetError(
                f"{self.name}: {len(wrong)} images are of camera {wrong[0].camid}, such as {wrong[0].path}: the "
                f"first camera is 0, and in this dataset's names 1"
            )

    def scan(self, split: str) -> list[Record]:
        """Read the records of one split from disk."""
        raise NotImplementedError

    def part(self, *names: str) -> str:
        """Return the path of the first of ``names`` that the dataset's folder holds."""
        paths = [os.path.join(self.folder, name) for name in names]
        return next((path for path in paths if os.path.exists(path)), paths[0])

    def matched_images(self, folder: str, pattern: re.Pattern[str]) -> list[tuple[str, re.Match[str]]]:
        """Return (path, match) for every image of ``folder``, sorted by name.

        Raises:
            DatasetError: there is no image, or the start of some image's name does not match ``pattern``.
        """
        matches = [(name, pattern.match(name)) for name in image_names(folder)]
        strange = [name for name, match in matches if match is None]
        if strange:
            raise DatasetError(
                f"{self.name}: {len(strange)} of the {len(matches)} images in {folder} are not named as this dataset "
                f"names them: {examples(strange)}. Move them away, or read the folder with another dataset type "
                "(CSVDataset and FolderDataset read images of any name)."
            )
        if not matches:
            problem = f"{self.name}: {folder} holds no image; was the archive unpacked completely?"
            raise DatasetError("\n".join([problem, *self._remedies()]))
        return [(os.path.join(folder, name), match) for name, match in matches if match]

    def summary(self) -> str:
        """Return one line for the log: identities, images and cameras of every split that is not empty."""
        counts = []
        for split in SPLITS:
            records = self.records(split)
            if records:
                ids, cameras = len({r.pid for r in records} - {-1}), len({r.camid for r in records})
                counts.append(f"{split} {ids:,} ids, {len(records):,} images, {cameras} cameras")
        return f"{self.name}{' (rendered twin)' if self.is_twin else ''}: {'; '.join(counts)}"

    def _locate(self, folders: Sequence[str]) -> str:
        paths = [os.path.join(self.root, os.path.expanduser(folder)) for folder in folders]
        # An archive that was unpacked into a folder of its own name.
        paths += [inner for path in paths if os.path.isdir(inner := os.path.join(path, os.path.basename(path)))]
        absent = {path: self._absent_names(path) for path in paths if os.path.isdir(path)}
        for path, names in absent.items():
            if not names:
                return os.path.normpath(path)
        tried = [f"  {p} ({'lacks ' + ', '.join(absent[p]) if p in absent else 'no such folder'})" for p in paths]
        needed = ", ".join(_any_of(names) for names in self.required) or "the images"
        raise DatasetError(
            "\n".join([f"{self.name} was not found. Looked for {needed} in:", *tried, *self._remedies()])
        )

    def _remedies(self) -> list[str]:
        lines = []
        if self.homepage:
            lines.append(f"Obtain it from {self.homepage}. Unpack it there, or name its folder with folder: PATH.")
        if self.twin:
            render = f"reidzoo render --datasets {type(self).__name__} --data-root datasets-mini"
            lines.append(f"Or draw a small twin, and take --data-root datasets-mini: {render}")
        return lines

    def _absent_names(self, folder: str) -> list[str]:
        choices = [(names,) if isinstance(names, str) else names for names in self.required]
        return [_any_of(names) for names in choices if not any(os.path.exists(os.path.join(folder, n)) for n in names)]

    def _holds_twin(self) -> bool:
        # The reader may read a folder below the dataset's top one, such as RandPerson/subset/randperson_subset.
        folder, root = os.path.abspath(self.folder), os.path.abspath(self.root)
        while True:
            if os.path.isfile(os.path.join(folder, "twin.json")):
                return True
            folder = os.path.dirname(folder)
            if folder == root or not folder.startswith(os.path.join(root, "")):
                return False

    def _check_counts(self, split: str) -> None:
        if self.is_twin or split not in self.published:
            return
        pids = [record.pid for record in self._records[split] if record.pid != -1]
        counts, published = (len(set(pids)), len(pids)), self.published[split]
        if counts != published:
            logger.warning(
                "%s: %s has %s identities and %s images in %s, but %s and %s are published. The copy is incomplete or "
                "altered; results will not compare with published ones.",
                *(self.name, split, *(f"{number:,}" for number in counts), self.folder),
                *(f"{number:,}" for number in published),
            )


def image_names(folder: str) -> list[str]:
    """Return the sorted names of the images in ``folder``; hidden files, ``Thumbs.db`` and the like are skipped."""
    names = [n for n in os.listdir(folder) if n.lower().endswith(IMAGE_EXTENSIONS) and not n.startswith(".")]
    return sorted(names)


def images_below(folder: str) -> list[str]:
    """Return the paths of the images in ``folder``, then of those in the folders in it; hidden ones are skipped."""
    found = []
    for here, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(here, name) for name in image_names(here)]
    return found


def absent_files(paths: Iterable[str]) -> list[str]:
    """Return those of ``paths`` that do not exist, listing each folder once instead of asking for every file."""
    listed: dict[str, set[str]] = {}
    absent = []
    for path in paths:
        folder, _, name = path.rpartition(os.sep)
        if folder not in listed:
            listed[folder] = set(os.listdir(folder or os.curdir)) if os.path.isdir(folder or os.curdir) else set()
        if name not in listed[folder]:
            absent.append(path)
    return absent


def check_names(paths: Iterable[str]) -> None:
    """Check that lists of images, which are UTF-8, can hold the paths.

    Raises:
        DatasetError: the name of a file or of a folder is not UTF-8.
    """
    wrong = [shown for path in paths if (shown := printable(path)) != path]
    if wrong:
        raise DatasetError(
            f"{len(wrong):,} images have a path that is not UTF-8, and a list of images cannot hold them: "
            f"{examples(wrong)}. Rename the files or folders (convmv does many at once)"
        )


def relative_path(path: str, folder: str) -> str:
    """Return ``path`` relative to ``folder`` with forward slashes, or unchanged but for these if it lies elsewhere."""
    return path.removeprefix(os.path.join(folder, "")).replace(os.sep, "/")


def examples(names: Sequence[str], count: int = 3) -> str:
    """Return the first ``count`` of ``names`` for an error message, with dots if there are more."""
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def shortened(lines: Sequence[str], count: int) -> list[str]:
    """Return the first ``count`` of ``lines``, and one that says how many more there are."""
    more = [f"and {len(lines) - count:,} more"] if len(lines) > count else []
    return [*lines[:count], *more]


def _any_of(names: str | tuple[str, ...]) -> str:
    return names if isinstance(names, str) else " or ".join(names)


def _with_text(record: Record) -> Record:
    """Return the record with its path as text, where it is a ``pathlib.Path``."""
    if isinstance(record, Record) and isinstance(record.path, os.PathLike):
        return record._replace(path=os.fspath(record.path))
    return record


def _is_whole(value: object) -> bool:
    """Return whether this is a whole number that 64 bits hold."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(-(2**63) <= value < 2**63)
