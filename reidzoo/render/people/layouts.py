"""Plans the photographs of the twins of people, in files and folders named as in the real datasets.

Every layout plans its photographs from the counts below alone. Training identities are even numbers and test identities
odd ones, so a larger ``scale`` adds people and leaves those who are there as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

__all__ = [
    "DISTRACTORS",
    "LAYOUTS",
    "Layout",
    "Shot",
    "cameras_of",
    "msmt17_lists",
    "plan_cuhk03",
    "plan_duke",
    "plan_market",
    "plan_msmt17",
    "plan_randperson",
]

SLOTS = ("morning", "noon", "afternoon")
DISTRACTORS = 10_000_000
"""First key of the people who are in nobody's training or test list."""


@dataclass(frozen=True)
class Shot:
    """One photograph to take.

    Attributes:
        files: (path below the twin's folder, box) pairs; the box is "detected", "labeled" or "bad".
        person: key of the identity; the same key is the same person.
        camera: number of the physical camera, from 0.
        number: tells apart the photographs of one person.
        time: 0 morning, 1 noon, 2 afternoon, -1 unknown.
    """

    files: tuple[tuple[str, str], ...]
    person: int
    camera: int
    number: int
    time: int = -1


@dataclass(frozen=True)
class Layout:
    """A dataset on disk.

    Attributes:
        folder: the folder's name below the root.
        train_ids: training identities at scale 1.
        test_ids: test identities at scale 1.
        plan: yields the shots of a twin with so many training and test identities.
        lists: yields (file name, text) of the dataset's list files.
        labels: the same for files that tell what the identities look like, by the shots and the seed.
    """

    folder: str
    train_ids: int
    test_ids: int
    plan: Callable[[int, int, int], Iterator[Shot]]
    lists: Callable[[list[Shot]], dict[str, str]] = lambda shots: {}
    labels: Callable[[list[Shot], int], dict[str, str]] = lambda shots, seed: {}


def cameras_of(seed: int, name: int, person: int, total: int, low: int, high: int) -> list[int]:
    """Return the ``low`` to ``high`` cameras out of ``total`` that see one person, in ascending order."""
    rng = np.random.default_rng([seed, name, 4, person])
    chosen = rng.choice(total, size=int(rng.integers(low, high + 1)), replace=False)
    return sorted(int(camera) for camera in chosen)


def _folder(train: bool, query: bool) -> str:
    return "bounding_box_train" if train else "query" if query else "bounding_box_test"


def _frame(seed: int, name: int, person: int, camera: int, number: int) -> int:
    """Return a frame number, ascending with ``number`` within one camera."""
    return int(np.random.default_rng([seed, name, 5, person, camera]).integers(200, 40_000)) + 25 * number


def plan_market(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan Market-1501: 3-5 of 6 cameras per person, 4 or 5 images under each; distractors and junk in the gallery."""

    def shot(folder: str, label: str, person: int, camera: int, number: int, frame: int, box: str = "detected") -> Shot:
        name = f"{folder}/{label}_c{camera + 1}s{1 + person % 3}_{frame:06d}_{number:02d}.jpg"
        return Shot(((name, box),), person, camera, number)

    for index in range(train + test):
        person = 2 * (index + 1) if index < train else 2 * (index - train) + 1
        label = f"{person:04d}"
        for camera in cameras_of(seed, 1, person, 6, 3, 5):
            for number in range(5 if index < train else 4):
                frame = _frame(seed, 1, person, camera, number)
                yield shot(_folder(index < train, number == 0), label, person, camera, number, frame)
            if index >= train and person % 4 == 1:
                yield shot("bounding_box_test", "-1", person, camera, 9, 300_000 + 25 * person, "bad")
    for index in range(2 * test):
        box = "detected" if index % 3 else "bad"
        yield shot("bounding_box_test", "0000", DISTRACTORS + index, index % 6, 0, 100_000 + 25 * index, box)


def plan_duke(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan DukeMTMC-reID: 2-4 of 8 cameras per person, six images under each; gallery-only people as distractors."""
    for index in range(train + test + test // 2):
        person = 2 * (index + 1) if index < train else 2 * (index - train) + 1
        known = index < train or (index - train) % 3 != 2  # every third test person is in the gallery only
        for camera in cameras_of(seed, 2, person, 8, 2, 4) if known else cameras_of(seed, 2, person, 8, 1, 1):
            for number in range(6):
                folder = _folder(index < train, number == 0 and known)
                frame = _frame(seed, 2, person, camera, number)
                name = f"{folder}/{person:04d}_c{camera + 1}_f{frame:07d}.jpg"
                yield Shot(((name, "labeled"),), person, camera, number)


def plan_cuhk03(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan CUHK03-NP: both cameras of one of three pairs per person, five images under each, each in two boxes."""
    for index in range(train + test):
        person = 2 * (index + 1) if index < train else 2 * (index - train) + 1
        for side in (0, 1):
            for number in range(5):
                folder = _folder(index < train, number == 0)
                name = f"{folder}/{person:04d}_c{side + 1}_{number + 1 + 5 * side}.png"
                files = tuple((f"{box}/{name}", box) for box in ("detected", "labeled"))
                yield Shot(files, person, 2 * (person // 2 % 3) + side, number + 5 * side)


def plan_msmt17(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan MSMT17: 3-6 of 15 cameras per person, four images under each, three times of day; pids from 0 per split."""
    for index in range(train + test):
        part, pid = ("train", index) if index < train else ("test", index - train)
        person = 2 * pid + (part == "test")
        number = 0
        for camera in cameras_of(seed, 3, person, 15, 3, 6):
            rng = np.random.default_rng([seed, 3, 6, person, camera])
            time, day = int(rng.integers(3)), ("0113", "0302", "0303", "0114")[int(rng.integers(4))]
            for _ in range(4):
                frame = _frame(seed, 3, person, camera, number) // 10
                name = f"{pid:04d}_{number:03d}_{camera + 1:02d}_{day}{SLOTS[time]}_{frame:04d}_{number % 3}.jpg"
                yield Shot(((f"{part}/{pid:04d}/{name}", "detected"),), person, camera, number, time)
                number += 1


def msmt17_lists(shots: list[Shot]) -> dict[str, str]:
    """Return the four list files: each 14th training image is in list_val, the first under each camera is a query."""
    lists: dict[str, list[str]] = {f"list_{part}.txt": [] for part in ("train", "val", "query", "gallery")}
    for shot in shots:
        part, pid, name = shot.files[0][0].split("/")
        if part == "train":
            part = "val" if shot.number % 14 == 13 else "train"
        else:
            part = "gallery" if shot.number % 4 else "query"
        lists[f"list_{part}.txt"].append(f"{pid}/{name} {int(pid)}\n")
    return {name: "".join(lines) for name, lines in lists.items()}


def plan_randperson(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan RandPerson's subset: three of 11 scenes per person, 16 images; cameras are numbered in each scene."""
    cameras = [(scene, camera) for scene in range(11) for camera in range(1 if scene in (0, 1, 9) else 2)]
    for person in range(train):
        scenes = cameras_of(seed, 4, person, 11, 3, 3)
        seen = [index for index, (scene, _) in enumerate(cameras) if scene in scenes]
        for number in range(16):
            index = seen[number % len(seen)]
            scene, camera = cameras[index]
            frame = _frame(seed, 4, person, index, number)
            name = f"subset/randperson_subset/{person:06d}_s{scene:02d}_c{camera:02d}_f{frame:06d}.jpg"
            yield Shot(((name, "detected"),), person, index, number)


LAYOUTS = {
    "Market1501": Layout("Market-1501-v15.09.15", 100, 100, plan_market),
    "MSMT17": Layout("MSMT17_V1", 120, 80, plan_msmt17, msmt17_lists),
    "RandPerson": Layout("RandPerson", 400, 0, plan_randperson),
    "CUHK03NP": Layout("cuhk03-np", 100, 100, plan_cuhk03),
    "DukeMTMC": Layout("DukeMTMC-reID", 100, 100, plan_duke),
}
