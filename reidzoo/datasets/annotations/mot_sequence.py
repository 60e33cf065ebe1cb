"""A sequence in MOTChallenge's format: its frames and its annotations."""

from __future__ import annotations

import configparser
import math
from dataclasses import dataclass
from pathlib import Path

from reidzoo.datasets.annotations.annotated_sequence import AnnotatedSequence, Box
from reidzoo.datasets.base import IMAGE_EXTENSIONS
from reidzoo.errors import DatasetError

__all__ = ["MOTSequence"]

PEDESTRIAN = 1
USUAL = (1.0, float(PEDESTRIAN), 1.0)
"""What older files leave out, and a tracker's output has -1 for: considered, class, visibility."""


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
        """Return the annotated pedestrians, in the order of the file.

        What the file marks as not considered is left out, and who has no track, an id below 0.

        Raises:
            DatasetError: a line is not of this format, or no pedestrian has a track.
        """
        path = self.folder / "gt" / "gt.txt"
        boxes, nobody = [], False
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    values = [float(value) for value in line.split(",")]
                    left, top, width, height = values[2:6]
                    if not all(map(math.isfinite, values)):
                        raise ValueError
                except ValueError:
                    raise DatasetError(
                        f"{path}:{number}: a line of MOT annotations is frame,id,left,top,width,height,considered,"
                        f"class,visibility in numbers; got {line.strip()[:100]!r}"
                    ) from None
                given = [usual if value == -1 else value for value, usual in zip(values[6:9], USUAL)]
                considered, kind, visibility = [*given, *USUAL[len(given) :]]
                if considered and kind == PEDESTRIAN and width > 0 and height > 0:
                    if values[1] < 0:
                        nobody = True
                        continue
                    boxes.append(Box(int(values[0]), int(values[1]), left, top, width, height, visibility))
        if nobody and not boxes:
            raise DatasetError(
                f"{path}: all ids are below 0, so that nothing says which boxes are one person; take a tracker's output"
            )
        return boxes

    def frames(self) -> dict[int, Path]:
        """Return the image of each frame, by its number from 1.

        Raises:
            DatasetError: there is no image, or ``seqinfo.ini`` cannot be read.
        """
        info, path = configparser.ConfigParser(interpolation=None), self.folder / "seqinfo.ini"
        try:
            info.read(path, encoding="utf-8-sig")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise DatasetError(f"{path} is not as MOTChallenge's: {' '.join(str(error).split())}") from None
        folder = self.folder / info.get("Sequence", "imDir", fallback="img1")
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        images = [path for path in files if path.suffix.lower() in IMAGE_EXTENSIONS and path.stem.isdecimal()]
        if not images:
            raise DatasetError(f"{folder} has no frames, images whose names are numbers, such as 000001.jpg")
        return {int(path.stem): path for path in images}
