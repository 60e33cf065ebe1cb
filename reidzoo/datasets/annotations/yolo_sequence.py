"""Sequences of images with YOLO's label files, whose last column is the track."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from reidzoo.datasets.annotations.annotated_sequence import CLASS, AnnotatedSequence, Box, chosen_classes
from reidzoo.datasets.annotations.frame_groups import frame_number, group_frames
from reidzoo.datasets.base import IMAGE_EXTENSIONS
from reidzoo.errors import DatasetError
from reidzoo.transforms.decode import upright_size

__all__ = ["YOLOSequence", "read_yolo"]

LINE = (
    "a line of YOLO's labels with a track is class x y width height track, or class x y width height confidence track, "
    "in numbers, the box in shares of the image; `yolo track model=yolo11n.pt save_txt=True` of ultralytics writes them"
)
CLASS_FILES = ("classes.txt", "obj.names")
"""Class names, one a line, as labelImg, Label Studio and CVAT write them; no labels."""
Line = tuple[int, "int | None", float, float, float, float]
"""Class, track, centre x and y, width and height."""
Name = str | tuple[str, "int | None"]


class YOLOSequence(AnnotatedSequence):
    """Frames of one camera: images of one folder whose names are equal up to the number at their end.

    Args:
        name: of the sequence.
        parts: names of the folders that the images lie in.
        labelled: frame -> image and the lines of its label file.
        kinds: class -> its name, of the classes whose boxes are meant; None: all.
        by_class: whether each class is a person; else the track is.
    """

    def __init__(
        self, name: str, parts: tuple[str, ...], labelled: Mapping[int, tuple[Path, Sequence[Line]]],
        kinds: Mapping[int, str] | None, by_class: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.parts, self._labelled, self._kinds, self._by_class = name, parts, labelled, kinds, by_class

    def boxes(self) -> list[Box]:
        """Return the boxes that have a track.

        Raises:
            DatasetError: an image cannot be read.
        """
        found = []
        for frame, (image, lines) in self._labelled.items():
            of_class = [line for line in lines if self._kinds is None or line[0] in self._kinds]
            people = [(self._person(line), *line[2:]) for line in of_class if line[4] > 0 and line[5] > 0]
            if any(person is not None for person, *_ in people):
                w, h = upright_size(image)
                found += [
                    Box(frame, person, (x - width / 2) * w, (y - height / 2) * h, width * w, height * h)
                    for person, x, y, width, height in people
                    if person is not None
                ]
        return found

    def _person(self, line: Line) -> int | str | None:
        if not self._by_class:
            return line[1]
        return line[0] if self._kinds is None else self._kinds[line[0]]

    def frames(self) -> dict[int, Path]:
        """Return the image of each frame."""
        return {frame: image for frame, (image, _) in self._labelled.items()}


def read_yolo(source: Path, category: str = "", identity: str = "") -> list[YOLOSequence]:
    """Return the sequences of the label files below ``labels`` folders, whose images are below ``images`` beside them.

    Args:
        source: the folder; a ``data.yaml``, ``classes.txt`` or ``obj.names`` in it or beside it names the classes.
        category: the class whose boxes are meant, by name or number; by default people, or the only class.
        identity: ``class``, if each class is a person; by default the track says who it is.

    Raises:
        DatasetError: a label file has no image, no line has a track, or the class is not known.
    """
    if identity not in ("", CLASS):
        raise DatasetError(f"YOLO's labels have no keys: --identity is {CLASS} for them, or left out, got {identity!r}")
    files = [path for place in source.rglob("labels") for path in place.rglob("*.txt")]
    files = sorted({path for path in files if path.name not in CLASS_FILES and not path.name.startswith(".")})
    labels = {path: _read(path) for path in files}
    lines = [line for own in labels.values() for line in own]
    kinds = _kinds(source, category, {line[0] for line in lines}, identity == CLASS)
    if identity != CLASS and not any(track is not None for kind, track, *_ in lines if kinds is None or kind in kinds):
        raise DatasetError(
            f"{source}: no line of its labels has a track, and boxes alone do not tell which of them are one person; "
            f"{LINE}. If people were labelled by name, --identity {CLASS} makes each class a person"
        )
    listing = lru_cache(maxsize=None)(_images)
    images = [(_image(path, listing), path) for path in files]
    groups = group_frames((image.parent.as_posix(), path.stem, (image, labels[path])) for image, path in images)
    return [
        YOLOSequence(start or Path(folder).name, _parts(source, folder), frames, kinds, identity == CLASS)
        for (folder, start), frames in groups.items()
    ]


def _parts(source: Path, folder: str) -> tuple[str, ...]:
    return Path(folder).relative_to(source).parts if Path(folder).is_relative_to(source) else ()


def _read(path: Path) -> list[Line]:
    """Return the lines of a label file.

    Six columns are a track, or, with a fraction in the last, a confidence: a box that the tracker has not taken up.

    Raises:
        DatasetError: a line is not of this format.
    """
    found: list[Line] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        try:
            values = [float(word) for word in line.split()]
            kind, x, y, width, height, *rest = values or [0.0] * 5
            track = rest[-1] if rest and rest[-1].is_integer() and rest[-1] >= 0 else None
            too_many = len(rest) > 2 or (len(rest) == 2 and track is None)
            if too_many or max(x, y, width, height) > 1.5 or not all(map(math.isfinite, values)):
                raise ValueError
        except ValueError:
            raise DatasetError(f"{path}:{number}: {LINE}, not of segments or poses; got {line[:100]!r}") from None
        if values:
            found.append((int(kind), None if track is None else int(track), x, y, width, height))
    return found


def _image(labels: Path, listing: Callable[[Path], Mapping[Name, Path]]) -> Path:
    """Return the image of a label file: of its name, or with the same number, differently padded."""
    parts = list(labels.parts)
    place = len(parts) - 1 - parts[::-1].index("labels")
    above = Path(*parts[:place])
    below = Path(*parts[place + 1 : -1])
    folders = [above / "images" / below, above / below, labels.parent]
    for folder in folders:
        images = listing(folder)
        keys: tuple[Name, ...] = (labels.stem, frame_number(labels.stem))
        found = next((images[key] for key in keys if key in images), None)
        if found is not None:
            return found
    raise DatasetError(
        f"{labels} has no image of its name in {', '.join(map(str, dict.fromkeys(folders)))}; of a video, write the "
        f"frames there: ffmpeg -i VIDEO.mp4 -q:v 2 images/VIDEO_%d.jpg"
    )


def _images(folder: Path) -> Mapping[Name, Path]:
    """Return the images of a folder by their names, and by start and number."""
    if not folder.is_dir():
        return {}
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_EXTENSIONS]
    return {**{frame_number(path.stem): path for path in found}, **{path.stem: path for path in found}}


def _kinds(source: Path, category: str, present: set[int], by_class: bool) -> dict[int, str] | None:
    """Return the number and name of the classes whose boxes are cut, None for all."""
    names = _names(source)
    if by_class and not category:
        return {kind: names.get(kind, str(kind)) for kind in present}
    if category.isdecimal():
        return {int(category): names.get(int(category), category)}
    if not names and not category and len(present) < 2:
        return None
    wanted = chosen_classes(names, category)
    if not wanted:
        there = f"its classes are {', '.join(names.values())}" if names else (
            f"its labels have {', '.join(map(str, sorted(present)))}, and no data.yaml or classes.txt names them (of "
            f"models trained on COCO, 0 is a person)")  # fmt: skip
        raise DatasetError(f"{source}: which class? {there}; name one with --category, by its name or number")
    return {kind: names[kind] for kind in wanted}


def _names(source: Path) -> dict[int, str]:
    """Return the names of the classes by number, empty if no file has them."""
    for folder in (source, source.parent):
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            try:
                content = yaml.load(path.read_text(encoding="utf-8-sig"), yaml.BaseLoader)  # texts alone
            except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
                continue
            names = content.get("names") if isinstance(content, dict) else None
            if isinstance(names, (list, dict)):
                pairs = enumerate(names) if isinstance(names, list) else names.items()
                try:
                    return {int(number): str(name) for number, name in pairs}
                except ValueError as error:
                    raise DatasetError(
                        f"{path}: names is a list, or numbers to names as in {{0: person}}: {error}"
                    ) from None
        for path in (folder / place / name for place in ("", "labels") for name in CLASS_FILES):
            if path.is_file():
                try:
                    lines: Sequence[str] = path.read_text(encoding="utf-8-sig").splitlines()
                except UnicodeDecodeError as error:
                    line = error.object.count(b"\n", 0, error.start) + 1
                    raise DatasetError(f"{path}:{line}: not UTF-8; save it so") from None
                return {number: name.strip() for number, name in enumerate(lines) if name.strip()}
    return {}
