"""Divide folders of people into train, validation, query and gallery, nobody in two of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.errors import UserError

if TYPE_CHECKING:
    from reidzoo.datasets.people_folder import PersonImage

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo split my_data/people --output-dir my_data/crops"
SHOWN = 10
"""How many files a message names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("source", type=Path, metavar="FOLDER", help="a folder of people: PERSON/*.jpg, or deeper")
    parser.add_argument(
        "--output-dir", type=Path, required=True, metavar="DIR",
        help="a new folder: train/, query/, gallery/ for FolderDataset, and val/ with a query/ and gallery/ of its own",
    )  # fmt: skip
    parser.add_argument("--test-share", type=float, default=0.3, metavar="X", help="of the people, to test on (0.3)")
    parser.add_argument("--val-share", type=float, default=0.1, metavar="X", help="of the people, to choose by (0.1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="who is drawn (0)")
    parser.add_argument(
        "--files", choices=("copy", "link", "csv"), default="copy",
        help="copy the images, link to them, or only list them in split.csv and val.csv (default: copy)",
    )  # fmt: skip
    parser.add_argument("--skip-unreadable", action="store_true", help="leave images out that cannot be read")
    cameras = parser.add_mutually_exclusive_group()
    cameras.add_argument(
        "--camera", metavar="REGEX",
        help="finds the camera, its one group, in a file's path below the person's folder, parts joined by _ (default: "
        "a number after c, as in 0001_c3.jpg)",
    )  # fmt: skip
    cameras.add_argument("--no-cameras", action="store_true", help="names tell no camera")


def run(args: argparse.Namespace) -> None:
    """Divide, write, and print how many there are and what a configuration calls them."""
    import re

    from tabulate import tabulate

    from reidzoo.checks import check
    from reidzoo.datasets.base import check_names
    from reidzoo.datasets.folder import CAMERA, CAMERA_PATTERN
    from reidzoo.datasets.people_folder import find_people
    from reidzoo.datasets.people_split import SplitRules, split_people, write_folders, write_lists

    if not (0 <= args.test_share < 1 and 0 <= args.val_share < 1 and args.seed >= 0):
        raise UserError("--test-share and --val-share are in [0, 1), and --seed is 0 or more")
    if args.output_dir.resolve().is_relative_to(Path(args.source).resolve()):
        raise UserError(f"--output-dir {args.output_dir} lies in {args.source}, whose folders are people; take another")
    if args.camera:
        check("reidzoo split", CAMERA_PATTERN, **{"--camera": args.camera})
    rules = SplitRules(args.val_share, args.test_share, args.seed, not args.no_cameras)
    images = find_people(args.source, re.compile(args.camera) if args.camera else CAMERA)
    check_names(image.path for image in images)
    if args.camera and all(image.camera is None for image in images):
        raise UserError(
            f"--camera {args.camera}: no file's path has it, such as {images[0].path}; correct it, or say --no-cameras"
        )
    digests = _digests(images, args)
    parts = split_people(list(digests), rules)
    if args.files == "csv":
        write_lists(parts, args.output_dir, rules.cameras)
    else:
        write_folders(parts, args.output_dir, link=args.files == "link")
    rows = [
        [part, f"{len({image.person for image in own}):,}", f"{len(own):,}"] for part, own in parts.items() if own
    ]  # fmt: skip
    print(tabulate(rows, [str(args.output_dir), "people", "images"], disable_numparse=True))
    _print_copies(parts, digests, args.source)
    print("\nIn a configuration with DATASETS.ROOT .:")
    for key, node in _nodes(args, bool(parts["val/query"])).items():
        print(f"  {key}: {node}")


def _digests(images: Sequence[PersonImage], args: argparse.Namespace) -> dict[PersonImage, bytes]:
    """Return the digest of each file that can be read, and print which cannot.

    Raises:
        UserError: some cannot be read, and are not to be skipped.
    """
    from reidzoo.datasets.base import shortened
    from reidzoo.inspection.image_facts import read_facts

    facts = dict(zip(images, read_facts([image.path for image in images])))
    unreadable = [
        f"{os.path.relpath(image.path, args.source)} {fact.error}" for image, fact in facts.items() if fact.error
    ]
    if unreadable:
        count = f"{len(unreadable):,} of {len(images):,} images cannot be read"
        listed = "\n  ".join(shortened(unreadable, SHOWN))
        if not args.skip_unreadable:
            raise UserError(f"{count}; --skip-unreadable leaves them out:\n  {listed}")
        print(f"{count} and are left out:\n  {listed}\n")
    return {image: fact.digest for image, fact in facts.items() if not fact.error}


def _print_copies(
    parts: Mapping[str, Sequence[PersonImage]], digests: Mapping[PersonImage, bytes], source: Path
) -> None:
    """Print which files are in two parts, byte for byte."""
    from reidzoo.datasets.base import shortened

    first: dict[bytes, tuple[str, str]] = {}
    found = []
    for part, own in parts.items():
        for image in own:
            path = os.path.relpath(image.path, source)
            there, copy = first.setdefault(digests[image], (part, path))
            if there != part:
                found.append(f"{copy} ({there}), {path} ({part})")
    if found:
        print(f"\nThe same file in two parts: {len(found):,}. `reidzoo check {source} --html FILE` shows such images.")
        print("  " + "\n  ".join(shortened(found, SHOWN)))


def _nodes(args: argparse.Namespace, validated: bool) -> dict[str, str]:
    """Return what a configuration calls the parts."""
    if args.files == "csv":
        kind, places = "CSVDataset, file", ("split.csv", "val.csv")
        more = ""
    else:
        kind, places = "FolderDataset, folder", ("", "val")
        pattern = (args.camera or "").replace("'", "''")
        more = f", camera: '{pattern}'" if pattern else ", protocol: camera_free" if args.no_cameras else ""
    nodes = [f"{{type: {kind}: {(args.output_dir / place).as_posix()}{more}}}" for place in places]
    named = {"TRAIN": f"{{train: {nodes[0]}}}", "TESTS": f"[{nodes[0]}]"}
    return named | ({"TESTS, while you choose settings": f"[{nodes[1]}]"} if validated else {})
