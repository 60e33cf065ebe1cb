"""Divides people into those to learn from, to choose settings by, and to test on, and writes the folders or lists."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from reidzoo.datasets.base import examples
from reidzoo.datasets.people_folder import PersonImage
from reidzoo.errors import DatasetError
from reidzoo.files import write_folder, write_text

__all__ = ["PARTS", "SplitRules", "split_people", "write_folders", "write_lists"]

PARTS = ("train", "val/query", "val/gallery", "query", "gallery")
"""``val`` is a test set of its own, with people who are in none of the others."""

Split = Mapping[str, Sequence[PersonImage]]


@dataclass(frozen=True)
class SplitRules:
    """Rules of how people are divided.

    Attributes:
        val_share: share of the people for validation, in [0, 1).
        test_share: share of the people to test on, in [0, 1).
        seed: who is drawn. A person who is added or leaves changes little of what the others are drawn for.
        cameras: whether a query's answer must be of another camera, where files' names tell it.
    """

    val_share: float = 0.1
    test_share: float = 0.3
    seed: int = 0
    cameras: bool = True


def split_people(images: Sequence[PersonImage], rules: SplitRules) -> dict[str, list[PersonImage]]:
    """Return the images of each of ``PARTS``; a person is in ``train``, in ``val`` or in the test, never in two.

    Who cannot be searched for is learnt from: a person with one image, or, where cameras are known, with one camera. Of
    a person who is tested on, each camera with two images or more gives one as query, and the others are the gallery; a
    person without such a camera gives one query, as everyone does where cameras are unknown.

    Raises:
        DatasetError: some names tell a camera and others do not, too few people can be searched for, or fewer than two
            are left to learn from.
    """
    known = rules.cameras and _cameras_are_known(images)
    of: dict[str, list[PersonImage]] = defaultdict(list)
    for image in images:
        of[image.person].append(image)
    able = [person for person, own in of.items() if len({image.camera for image in own} if known else own) > 1]
    able.sort(key=lambda person: _draw(rules.seed, person))
    tested, validated = (_count(share, len(of)) for share in (rules.test_share, rules.val_share))
    _check_counts(len(of), len(able), tested, validated, known)
    parts: dict[str, list[PersonImage]] = {part: [] for part in PARTS}
    role = dict.fromkeys(able[:tested], "") | dict.fromkeys(able[tested : tested + validated], "val/")
    for person, own in of.items():
        if person not in role:
            parts["train"] += own
            continue
        queries = _queries(own, known, rules.seed)
        parts[role[person] + "query"] += [image for image in own if image in queries]
        parts[role[person] + "gallery"] += [image for image in own if image not in queries]
    return parts


def write_folders(parts: Split, target: Path, link: bool = False) -> None:
    """Write ``target/PART/PERSON/NAME`` for all images, all at once.

    Args:
        parts: part -> its images.
        target: a new folder.
        link: make relative links in place of copies.

    Raises:
        DatasetError: ``target`` is there already.
    """
    _check_new(target)
    with write_folder(target) as work:
        images = [(part, image) for part in PARTS for image in parts[part]]
        for part, image in tqdm(images, desc="writing", unit="img", disable=None):
            path = work / part / image.person / image.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if link:  # work lies beside target, so that the link is the same from there
                path.symlink_to(os.path.relpath(os.path.realpath(image.path), os.path.realpath(path.parent)))
            else:
                shutil.copyfile(image.path, path)


def write_lists(parts: Split, target: Path, cameras: bool = True) -> None:
    """Write ``target/split.csv`` and, where there is a validation, ``target/val.csv``, as ``CSVDataset`` reads them.

    Args:
        parts: part -> its images.
        target: a new folder; the paths are relative to it.
        cameras: whether to write the column ``camid``, where names tell it.

    Raises:
        DatasetError: ``target`` is there already.
    """
    known = cameras and _cameras_are_known([image for part in PARTS for image in parts[part]])

    def table(*names: str) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "pid", *(["camid"] if known else []), "split"])
        for name in names:
            for image in parts[name]:
                path = os.path.relpath(os.path.realpath(image.path), os.path.realpath(target)).replace(os.sep, "/")
                writer.writerow([path, image.person, *([image.camera] if known else []), name.rpartition("/")[2]])
        return text.getvalue()

    _check_new(target)
    with write_folder(target) as work:
        write_text(work / "split.csv", table("train", "query", "gallery"))
        if parts["val/query"]:
            write_text(work / "val.csv", table("val/query", "val/gallery"))


def _check_new(target: Path) -> None:
    if os.path.lexists(target):
        raise DatasetError(f"{target} is there already; name a folder that is new")


def _cameras_are_known(images: Sequence[PersonImage]) -> bool:
    without = [image.path for image in images if image.camera is None]
    if without and len(without) < len(images):
        named = next(image for image in images if image.camera is not None)
        raise DatasetError(
            f"{len(without):,} of {len(images):,} images name no camera ({examples(without)}), and others do "
            f"({named.name}: camera {named.camera}). Say how names tell it (--camera), or that none does (--no-cameras)"
        )
    return not without


def _count(share: float, people: int) -> int:
    """Return how many people a share is, at least one where it is not 0."""
    return max(1, round(share * people)) if share else 0


def _check_counts(people: int, able: int, tested: int, validated: int, known: bool) -> None:
    if tested + validated > able:
        need = "images by two cameras" if known else "two images"
        more = "; or search within a camera, too (--no-cameras)" if known else ""
        raise DatasetError(
            f"{tested + validated:,} people are wanted for test and validation, and {able:,} of {people:,} have {need},"
            f" without which nobody can be searched for. Take smaller shares (--test-share, --val-share){more}"
        )
    if people - tested - validated < 2:
        raise DatasetError(
            f"of {people:,} people {tested:,} are for the test and {validated:,} for validation; at least two must be "
            f"left to learn from. Take smaller shares (--test-share, --val-share), or add people"
        )


def _queries(own: Sequence[PersonImage], known: bool, seed: int) -> set[PersonImage]:
    """Return the queries of one person; each has an answer in the gallery."""
    drawn = sorted(own, key=lambda image: _draw(seed, image.person, image.name))
    if known:
        by_camera: dict[str | None, list[PersonImage]] = defaultdict(list)
        for image in drawn:
            by_camera[image.camera].append(image)
        queries = {images[0] for images in by_camera.values() if len(images) > 1}
        if queries:
            return queries
    return {drawn[0]}


def _draw(seed: int, *words: str) -> bytes:
    """Return bytes that are as good as drawn, and depend on the seed and the words alone."""
    return hashlib.sha256("\0".join([str(seed), *words]).encode()).digest()
