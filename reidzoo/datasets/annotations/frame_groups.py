"""Tells by the names of images which of them are the frames of one camera, and in which order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

__all__ = ["frame_number", "group_frames", "number_frames"]

Item = TypeVar("Item")


def frame_number(stem: str) -> tuple[str, int | None]:
    """Return what stands before the number at the end of a name, and the number; ``gate_0012`` is ("gate", 12)."""
    start = re.sub(r"\d+$", "", stem)
    return start.rstrip("_-. "), int(stem[len(start) :]) if len(start) < len(stem) else None


def number_frames(numbers: Sequence[int | None]) -> list[int]:
    """Return the numbers if every frame has one of its own, else 1, 2, ... in their order."""
    known = [number for number in numbers if number is not None]
    return known if len(set(known)) == len(numbers) else list(range(1, len(numbers) + 1))


def group_frames(images: Iterable[tuple[str, str, Item]]) -> Mapping[tuple[str, str], dict[int, Item]]:
    """Return the sequences: the images of a folder whose names are equal up to a number at their end.

    If no two images of a folder are alike in that, such as where names are hashes, the folder is one sequence.

    Args:
        images: folder, name without extension, and the image, of any type.

    Returns:
        (folder, start of the names) -> frame -> image, sorted.
    """
    folders: dict[str, dict[str, list[tuple[int | None, str, Item]]]] = defaultdict(lambda: defaultdict(list))
    for folder, stem, image in images:
        start, number = frame_number(stem)
        folders[folder][start].append((number, stem, image))
    found = {}
    for folder, groups in sorted(folders.items()):
        if len(groups) > 1 and all(len(group) == 1 for group in groups.values()):
            groups = {"": [(None, stem, image) for group in groups.values() for _, stem, image in group]}
        for start, group in sorted(groups.items()):
            ordered = sorted(group, key=lambda entry: (-1 if entry[0] is None else entry[0], entry[1]))
            frames = number_frames([number for number, _, _ in ordered])
            found[folder, start] = dict(sorted(zip(frames, (image for _, _, image in ordered))))
    return found
