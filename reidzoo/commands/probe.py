"""Measure how much of the camera, or of the data set, features still tell: a fresh linear classifier's accuracy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reidzoo.commands.embedded import Embedded, read_embedded
from reidzoo.errors import EvaluationInputError, UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = r"""reidzoo extract --weights randperson_mobilenet_mini Market1501 --data-root datasets-mini \
    --split query gallery --output-dir output/market
reidzoo extract --weights randperson_mobilenet_mini DukeMTMC --data-root datasets-mini \
    --split query gallery --output-dir output/duke
reidzoo probe output/market
reidzoo probe output/market output/duke"""
FEW = 10
"""Of fewer people than these on a side the figure says little."""


class Images(NamedTuple):
    """Images to tell apart: of each its label and identity, int64 (N,), and its row in the features of all folders.

    ``unknown`` of them show nobody who is named; ``left_out`` more have no known camera.
    """

    names: list[str]
    labels: np.ndarray
    identities: np.ndarray
    rows: np.ndarray
    unknown: int
    left_out: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "features", type=Path, nargs="+", metavar="FEATURES",
        help="folders that reidzoo extract has written with one model. One: its cameras are told apart; several: the "
        "folders",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=int, default=500, metavar="N",
        help="at most N images of each camera or folder to learn from, and at most N, of other people, to test on "
        "(default: 500)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses people and images (default: 0)")


def run(args: argparse.Namespace) -> None:
    """Fit the classifier, and print what it was fitted to and how often it is right."""
    from tabulate import tabulate

    from reidzoo.evaluation import linear_probe, probe_split

    if args.images < 1 or args.seed < 0:
        raise UserError("--images takes a number from 1 up, --seed one from 0 up")
    folders = _read(args.features)
    what = "folder" if len(folders) > 1 else "camera"
    images = _by_folder(folders, args.features) if len(folders) > 1 else _by_camera(folders[0], args.features[0])
    try:
        sides = probe_split(images.labels, images.identities, args.images, args.seed)
    except EvaluationInputError:
        raise UserError(
            f"{what}s cannot be told apart: it takes two of them that have people to learn from and others to test on"
        ) from None
    learnt, tested = ((_features(folders, images.rows[side]), images.labels[side]) for side in sides)
    accuracy, chance = linear_probe(*learnt, *tested)
    lines = [_line(images, number, sides) for number in range(len(images.names))]
    head = (what, "images", "people", "to learn from", "to test on")
    print(tabulate(lines, head, disable_numparse=True, colalign=("left", *["right"] * 4)))
    print(f"\nA linear classifier names an image's {what} rightly in {100 * accuracy:.1f} of 100 cases, the mean over")
    print(f"{what}s, of people that it has not learnt from; by chance it would be {100 * chance:.1f}.")
    for note in _notes(images, sides, what):
        print(note)


def _read(paths: Sequence[Path]) -> list[Embedded]:
    """Return what the folders hold, of one model and of different images."""
    import numpy as np

    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise UserError("a folder is named twice; it cannot be told from itself")
    folders = [read_embedded(path) for path in paths]
    seen: dict[str, Path] = {}
    for path, folder in zip(paths, folders):
        if folder.features.shape[1] != folders[0].features.shape[1]:
            raise UserError(
                f"{path} has features of {folder.features.shape[1]} numbers, {paths[0]} of "
                f"{folders[0].features.shape[1]}: they are not of one model"
            )
        if shared := [name for name in folder.paths if name in seen]:
            raise UserError(
                f"{shared[0]} is in {seen[shared[0]]} and in {path}; folders of different images are told apart"
            )
        if len(wrong := np.flatnonzero(~np.isfinite(folder.features).all(1))):
            raise UserError(f"{path}: the features of row {wrong[0]}, {folder.paths[wrong[0]]}, are not finite")
        seen.update(dict.fromkeys(folder.paths, path))
    return folders


def _by_folder(folders: Sequence[Embedded], paths: Sequence[Path]) -> Images:
    import numpy as np

    labels = np.repeat(np.arange(len(folders)), [len(folder.paths) for folder in folders])
    unknown = sum(int((folder.pids < 0).sum()) for folder in folders)
    return Images(list(map(str, paths)), labels, _identities(folders), np.arange(len(labels)), unknown, 0)


def _by_camera(folder: Embedded, path: Path) -> Images:
    import numpy as np

    rows = np.flatnonzero(folder.camids >= 0)
    if not len(rows):
        raise UserError(f"{path}: no image has a known camera; name a second folder to tell the folders apart")
    written = [folder.camera_names[row] for row in rows]
    names = sorted(set(written), key=lambda name: (len(name), name))  # 2 before 10
    labels = np.array([names.index(name) for name in written])
    unknown, left_out = int((folder.pids[rows] < 0).sum()), len(folder.camids) - len(rows)
    return Images(names, labels, _identities([folder])[rows], rows, unknown, left_out)


def _identities(folders: Sequence[Embedded]) -> np.ndarray:
    """Return a number for each image's identity; people of one name are one in all folders, an unknown one is its own.

    Were two people of one name apart, a person who is in two folders could be on both sides; together they only share a
    side.
    """
    import numpy as np

    names = [
        f"person {name}" if pid >= 0 else f"image {path}"
        for folder in folders
        for name, pid, path in zip(folder.pid_names, folder.pids, folder.paths)
    ]
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def _features(folders: Sequence[Embedded], rows: np.ndarray) -> Tensor:
    """Return the features of ascending rows of all folders, one behind the other."""
    import numpy as np
    import torch

    begins = np.cumsum([0, *(len(folder.paths) for folder in folders)])
    parts = [
        folder.features[rows[(rows >= begin) & (rows < end)] - begin]
        for folder, begin, end in zip(folders, begins[:-1], begins[1:])
    ]
    return torch.from_numpy(np.concatenate(parts).astype(np.float64))


def _line(images: Images, number: int, sides: Sequence[np.ndarray]) -> list[str]:
    own = images.labels == number
    people = len(set(images.identities[own].tolist()))
    counts = (own.sum(), people, *((images.labels[side] == number).sum() for side in sides))
    return [images.names[number], *(f"{count:,}" for count in counts)]


def _notes(images: Images, sides: Sequence[np.ndarray], what: str) -> Iterator[str]:
    """Yield what a reader of the figure has to know."""
    used = set(images.labels[sides[0]].tolist())
    if images.left_out:
        yield f"Left out, since their camera is not known: {images.left_out:,} images."
    if left := [name for number, name in enumerate(images.names) if number not in used]:
        yield f"Left out, since its people are all on one side: {what} {', '.join(left)}."
    if images.unknown:
        yield (
            f"{images.unknown:,} images show nobody who is named, and count as a person each: a person may be on both "
            "sides, and the figure too high."
        )
    people = [
        len(set(images.identities[side][images.labels[side] == number].tolist())) for side in sides for number in used
    ]
    if min(people) < FEW:
        yield f"A {what} has {min(people)} people on one side: with another --seed the figure may be quite another."
