"""A sequence in MOTChallenge's format: its frames and its annotations."""

from __future__ import annotations

import configparser
import csv
from dataclasses import dataclass
from pathlib import Path

from reidzoo.datasets.annotated_sequence import AnnotatedSequence, Box
from reidzoo.datasets.base import IMAGE_EXTENSIONS
from reidzoo.errors import DatasetError

__all__ = ["MOTSequence"]

PEDESTRIAN = 1
USUAL = (1.0, float(PEDESTRIAN), 1.0)
"""What older files leave out: considered, class, visibility."""


@dataclass(frozen=True)
class MOTSequence(AnnotatedSequence):
    """A folder with ``img1/`` (or what ``seqinfo.ini`` calls it) and ``gt/gt.txt``.

    Attributes:
        folder: the sequence's folder; its name is the sequence's.
        parts: the folders that it lies in.
    """

    folder: Path
    parts: tuple[str, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        """The folder's name."""
        return self.folder.name

    def boxes(self) -> list[Box]:
        """Return the annotated pedestrians, in the order of the file; what it marks as not considered is left out.

        Raises:
            DatasetError: a line is not of this format.
        """
        path = self.folder / "gt" / "gt.txt"
        boxes = []
        with open(path, encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not row:
                    continue
                try:
                    values = [float(value) for value in row]
                    left, top, width, height = values[2:6]
                except ValueError:
                    raise DatasetError(
                        f"{path}:{number}: a line of MOT annotations is frame,id,left,top,width,height,considered,"
                        f"class,visibility in numbers; got {','.join(row)!r}"
                    ) from None
                considered, kind, visibility = [*values[6:9], *USUAL[len(values[6:9]) :]]
                if considered and kind == PEDESTRIAN and width > 0 and height > 0:
                    boxes.append(Box(int(values[0]), int(values[1]), left, top, width, height, visibility))
        return boxes

    def frames(self) -> dict[int, Path]:
        """Return the image of each frame, by its number from 1.

        Raises:
            DatasetError: there is no image.
        """
        info = configparser.ConfigParser()
        info.read(self.folder / "seqinfo.ini", encoding="utf-8")
        folder = self.folder / info.get("Sequence", "imDir", fallback="img1")
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        images = [path for path in files if path.suffix.lower() in IMAGE_EXTENSIONS and path.stem.isdigit()]
        if not images:
            raise DatasetError(f"{folder} has no frames, images whose names are numbers, such as 000001.jpg")
        return {int(path.stem): path for path in images}
