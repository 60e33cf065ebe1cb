"""A sequence of frames with boxes of people, as which every format of annotated images is read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["CLASS", "PERSON_CLASSES", "AnnotatedSequence", "Box", "chosen_classes"]

PERSON_CLASSES = ("person", "pedestrian", "people")
"""Names of the class that is meant where nobody names one."""
CLASS = "class"
"""The ``identity`` that says each class is a person, as where people were labelled by name."""
TEST = re.compile(r"(test|val|valid|validation)\d*")


class Box(NamedTuple):
    """A person in a frame: the frame's number, the track, the box in pixels, the share of it that is visible."""

    frame: int
    person: int | str
    left: float
    top: float
    width: float
    height: float
    visibility: float = 1.0


class AnnotatedSequence(ABC):
    """The frames of one camera, with the boxes of tracked people.

    Attributes:
        name: what crops' names begin with.
        parts: names of folders, and such, that tell what the sequence is for.
    """

    name: str
    parts: tuple[str, ...]

    @abstractmethod
    def boxes(self) -> list[Box]:
        """Return the boxes that have a track; they may reach beyond the image.

        Raises:
            DatasetError: the annotations are not of their format.
        """

    @abstractmethod
    def frames(self) -> dict[int, Path]:
        """Return the image of each frame by its number.

        Raises:
            DatasetError: there is no image.
        """

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Return the width and height of the annotated images, in pixels, by frame, where the annotations give them."""
        return {}

    @property
    def is_test(self) -> bool:
        """Whether it lies in a folder ``test``, ``val`` or ``valid``, or is named so, such as ``val2017``."""
        return any(TEST.fullmatch(part.lower()) for part in self.parts)


def chosen_classes(names: Mapping[int, str], category: str = "") -> set[int]:
    """Return the ids of the classes that ``category`` means, a name or an id; by default people, or the only class."""
    wanted = (category.lower(),) if category else PERSON_CLASSES
    found = {key for key, name in names.items() if name.lower() in wanted or str(key) == category}
    return found if found or category or len(names) != 1 else set(names)
