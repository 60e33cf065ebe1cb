"""Finds annotated sequences, in whatever format they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reidzoo.datasets.annotations.annotated_sequence import AnnotatedSequence
from reidzoo.datasets.annotations.coco_sequence import is_coco, read_coco
from reidzoo.datasets.annotations.mot_sequence import MOTSequence
from reidzoo.datasets.annotations.yolo_sequence import read_yolo
from reidzoo.errors import DatasetError

__all__ = ["find_sequences"]


def find_sequences(source: Path, category: str = "", identity: str = "") -> Sequence[AnnotatedSequence]:
    """Return the sequences of a COCO file, or those at or below a folder in the first format it has, sorted.

    Args:
        source: a JSON file of COCO; or a folder with sequences of MOTChallenge (``gt/gt.txt``), label files of YOLO
            (``labels/``, ``images/``), or JSON files of COCO.
        category: the class whose boxes are meant, where the format has classes; by default people.
        identity: what says who somebody is: a key of COCO's annotations; or ``class``, if each class of COCO or YOLO
            is a person. By default the track.

    Raises:
        DatasetError: there is none, or it is not as its format says.
    """
    if source.is_file():
        return read_coco(source, category, identity)
    mot = sorted(path.parent.parent for path in source.rglob("gt/gt.txt"))
    if mot:
        if category or identity:
            raise DatasetError(
                f"{source} is in MOTChallenge's format, of which pedestrians are cut by their tracks; category and "
                f"identity are for COCO and YOLO"
            )
        return [MOTSequence(folder, folder.relative_to(source).parts) for folder in mot]
    if any(path.is_dir() and any(path.rglob("*.txt")) for path in source.rglob("labels")):
        return read_yolo(source, category, identity)
    files = [path for path in sorted(source.rglob("*.json")) if is_coco(path)]
    if files:
        return [sequence for path in files for sequence in read_coco(path, category, identity)]
    raise DatasetError(
        f"{source} holds no annotations: neither sequences of MOTChallenge (img1/ and gt/gt.txt), nor labels/ of YOLO, "
        f"nor a JSON file of COCO. `reidzoo render --video --data-root DIR` draws some"
    )
