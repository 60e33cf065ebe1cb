"""Finds the images in folders of people, one folder a person, before anyone has divided them into splits."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from reidzoo.datasets.base import IMAGE_EXTENSIONS
from reidzoo.datasets.folder import CAMERA
from reidzoo.errors import DatasetError

__all__ = ["PersonImage", "find_people"]


class PersonImage(NamedTuple):
    """An image of a person: the file, the person's folder, the camera if one is told, and a file name of its own.

    ``name`` is the path below the person's folder, with ``_`` between its parts.
    """

    path: str
    person: str
    camera: str | None
    name: str


def find_people(folder: str | os.PathLike[str], camera: re.Pattern[str] = CAMERA) -> list[PersonImage]:
    """Return the images of ``folder/PERSON/`` and of all folders below, sorted by person and name.

    Args:
        folder: the folder of people; hidden folders and files are skipped. Where it holds nothing but a folder of its
            own name, as an archive that was unpacked into one does, that is the folder of people.
        camera: finds the camera, its group 1, in the path below the person's folder, parts joined by ``_``.

    Raises:
        DatasetError: there is no such folder, or it holds no image in a folder of its own.
    """
    folder = os.path.abspath(os.path.expanduser(os.fspath(folder)))
    if not os.path.isdir(folder):
        raise DatasetError(f"there is no folder {folder}")
    people = _folders(folder)
    if people == [os.path.basename(folder)] and _folders(inner := os.path.join(folder, people[0])):
        folder, people = inner, _folders(inner)
    images = [image for person in people for image in _images(folder, person, camera)]
    if not images:
        raise DatasetError(f"{folder} holds no folders of people with images; expected PERSON/IMAGE in it")
    return images


def _folders(folder: str) -> list[str]:
    """Return the names of the folders in a folder; archives made on a Mac add one that holds no images."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    return [name for name in names if not name.startswith((".", "__MACOSX"))]


def _images(folder: str, person: str, camera: re.Pattern[str]) -> list[PersonImage]:
    start, found, taken = os.path.join(folder, person), [], set()
    for here, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(names):
            if file.lower().endswith(IMAGE_EXTENSIONS) and not file.startswith("."):
                path = os.path.join(here, file)
                name = os.path.relpath(path, start).replace(os.sep, "_")
                while name in taken:  # a/b.jpg beside a_b.jpg
                    name = "_" + name
                taken.add(name)
                match = camera.search(name)
                found.append(PersonImage(path, person, match[1] if match else None, name))
    return sorted(found, key=lambda image: (image.name, image.path))
