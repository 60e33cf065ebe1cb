"""Measure how much of the camera, or of the data set, features still tell: a fresh linear classifier's accuracy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.embedded import Embedded, read_embedded
from reidzoo.errors import EvaluationInputError, UserError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = r"""reidzoo extract --weights randperson_mobilenet_mini Market1501 --data-root datasets-mini \
    --split query gallery --output-dir output/market
reidzoo extract --weights randperson_mobilenet_mini DukeMTMC --data-root datasets-mini \
    --split query gallery --output-dir output/duke
reidzoo probe output/market
reidzoo probe output/market output/duke"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "features", type=Path, nargs="+", metavar="FEATURES",
        help="folders that reidzoo extract has written: of one the cameras are told apart, of more the folders",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=int, default=500, metavar="N",
        help="of each camera or folder at most so many to learn from, and as many of other people to test on "
        "(default: 500)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses people and images (default: 0)")


def run(args: argparse.Namespace) -> None:
    """Fit the classifier, and print what it was fitted to and how often it is right."""
    import numpy as np
    import torch
    from tabulate import tabulate

    from reidzoo.evaluation import linear_probe, probe_split

    if args.images < 1 or args.seed < 0:
        raise UserError("--images takes a number from 1 up, --seed one from 0 up")
    names, features, labels, identities = _read(args.features)
    what = "folder" if len(args.features) > 1 else "camera"
    try:
        learns, tests = probe_split(labels, identities, args.images, args.seed)
        sides = [(torch.from_numpy(features[rows]), labels[rows]) for rows in (learns, tests)]
        accuracy, chance = linear_probe(*sides[0], *sides[1])
    except EvaluationInputError as error:
        raise UserError(f"{what}s cannot be told apart: {error}") from None
    counts = [np.bincount(found, minlength=len(names)) for found in (labels, labels[learns], labels[tests])]
    lines = [(name, *(f"{count[number]:,}" for count in counts)) for number, name in enumerate(names)]
    head = (what, "images", "to learn from", "to test on")
    print(tabulate(lines, head, disable_numparse=True, colalign=("left", "right", "right", "right")))
    print(f"\nA linear classifier names the {what} of an image of people that it has not seen")
    print(f"rightly in {100 * accuracy:.1f} of 100 cases; by chance it would be {100 * chance:.1f}.")


def _read(paths: Sequence[Path]) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels' names, and of each image with a label its features (N, D), label and identity (N,)."""
    import numpy as np

    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("a folder is named twice; it cannot be told from itself")
    folders = [read_embedded(path) for path in paths]
    dims = sorted({folder.features.shape[1] for folder in folders})
    if len(dims) > 1:
        raise UserError(f"features of {' and '.join(map(str, dims))} numbers are not of one model")
    features = np.concatenate([folder.features for folder in folders])
    identities = _identities(folders)
    if len(folders) > 1:
        sizes = [len(folder.paths) for folder in folders]
        return list(map(str, paths)), features, np.repeat(np.arange(len(folders)), sizes), identities
    known = folders[0].camids >= 0
    if not known.any():
        raise UserError(f"{paths[0]}: no image has a known camera; name a second folder to tell the folders apart")
    cameras, labels = np.unique(np.array(folders[0].camera_names)[known], return_inverse=True)
    order = sorted(range(len(cameras)), key=lambda number: (len(cameras[number]), cameras[number]))  # 2 before 10
    return [str(cameras[number]) for number in order], features[known], np.argsort(order)[labels], identities[known]


def _identities(folders: Sequence[Embedded]) -> np.ndarray:
    """Return a number for each image's identity; folders share none, and an unknown one is an image's own."""
    import numpy as np

    numbered, begin = [], 0
    for folder in folders:
        own = np.arange(len(folder.pids)) + len(folder.pids)  # names are numbered from 0, and are no more than images
        numbered.append(np.where(folder.pids >= 0, folder.pids, own) + begin)
        begin += 2 * len(folder.pids)
    return np.concatenate(numbered)
