"""The sources of a gallery's images: a folder, a dataset, or images that one has at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from reidzoo.datasets import Dataset, Market1501
from reidzoo.datasets.base import check_names, images_below
from reidzoo.datasets.folder import CAMERA
from reidzoo.datasets.names import Names
from reidzoo.errors import DatasetError, GalleryError
from reidzoo.gallery.records import Entry, each_label, is_label
from reidzoo.inference.pixel_source import listed

__all__ = ["OneOrEach", "read_source"]

OneOrEach = str | int | None | Sequence[str | int | None]
"""One identity or camera for all images, or one for each."""
JUNK = -1
DISTRACTOR = 0  # in Market-1501's layout: not one person, but whatever a detector took for one


def read_source(
    source: Any,
    names: Sequence[str] | None = None,
    identities: OneOrEach = None,
    cameras: OneOrEach = None,
    split: str = "gallery",
) -> tuple[list[Any], list[Entry]]:
    """Return the images of a source and their records; ``Gallery.add`` says what a source is.

    Raises:
        GalleryError: labels or names that are not as many as the images, or two images of one name.
        DatasetError: there is no image, or a path is not UTF-8.
    """
    if isinstance(source, Dataset):
        _refuse_labels(names, identities, cameras, "a dataset")
        entries = _of_dataset(source, split)
    elif isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        _refuse_labels(names, identities, cameras, "a folder")
        entries = _of_folder(os.path.abspath(source))
    else:
        images = list(listed(source))
        entries = _of_images(images, names, identities, cameras)
        check_names(entry.name for entry in entries)
        return images, entries
    if not entries:
        where = f"{source.name}, split {split}," if isinstance(source, Dataset) else os.fspath(source)
        raise DatasetError(f"{where} holds no image")
    paths = [entry.name for entry in entries]
    check_names(paths)
    return paths, entries


def _of_dataset(dataset: Dataset, split: str) -> list[Entry]:
    """Return a split's images but for junk, with the names of its identities and cameras."""
    records = [record for record in dataset.records(split) if record.pid != JUNK]
    names = Names.of(dataset)
    nobody = DISTRACTOR if isinstance(dataset, Market1501) else JUNK
    return [
        Entry(
            os.path.abspath(record.path),
            None if record.pid == nobody else names.person(record.pid),
            names.camera(record.camid) if names.cameras is None else names.cameras.get(record.camid),
        )
        for record in records
    ]


def _of_folder(root: str) -> list[Entry]:
    """Return the images of a folder and of all folders in it.

    An image's identity is the name of the folder that it lies in, unless that is ``root``; its camera the number that
    ``FolderDataset`` finds in its name.
    """
    entries = []
    for path in images_below(root):
        folder, name = os.path.split(path)
        camera = CAMERA.search(name)
        identity = None if folder == root else os.path.basename(folder)
        entries.append(Entry(path, identity, camera[1] if camera else None))
    return entries


def _of_images(
    images: Sequence[Any], names: Sequence[str] | None, identities: OneOrEach, cameras: OneOrEach
) -> list[Entry]:
    if names is None:
        if not all(isinstance(image, (str, os.PathLike)) for image in images):
            raise GalleryError("images without a file have no name; give names=[...], one for each")
        names = [os.path.abspath(image) for image in images]
    columns = [_column(list(each_label(names)), "names", len(images))]
    columns += [_column(identities, "identities", len(images)), _column(cameras, "cameras", len(images))]
    entries = [Entry(*labels).as_texts() for labels in zip(*columns)]
    unique: set[str] = set()
    for name, _, _ in entries:
        if name in unique:
            raise GalleryError(f"names holds {name!r} twice; a name is of one image")
        unique.add(name)
    return entries


def _column(labels: Any, what: str, count: int) -> Sequence[Any]:
    labels = [labels] * count if is_label(labels) else list(labels)
    if len(labels) != count:
        raise GalleryError(f"{what} are {len(labels)}, the images {count}; give one for each")
    return labels


def _refuse_labels(names: Any, identities: Any, cameras: Any, what: str) -> None:
    if not names is identities is cameras is None:
        raise GalleryError(f"{what} says itself whom its images show; give names, identities and cameras with a list")
