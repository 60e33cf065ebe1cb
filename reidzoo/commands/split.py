"""Divide folders of people into train, validation, query and gallery, nobody in two of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.errors import UserError

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo split my_data/people --output-dir my_data/crops"


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
    if args.camera and all(image.camera is None for image in images):
        raise UserError(
            f"--camera {args.camera}: no file's path has it, such as {images[0].path}; mend it, or say --no-cameras"
        )
    parts = split_people(images, rules)
    if args.files == "csv":
        write_lists(parts, args.output_dir, rules.cameras)
    else:
        write_folders(parts, args.output_dir, link=args.files == "link")
    rows = [
        [part, f"{len({image.person for image in own}):,}", f"{len(own):,}"] for part, own in parts.items() if own
    ]  # fmt: skip
    print(tabulate(rows, [str(args.output_dir), "people", "images"], disable_numparse=True))
    print("\nIn a configuration with DATASETS.ROOT .:")
    for key, node in _nodes(args, bool(parts["val/query"])).items():
        print(f"  {key}: {node}")


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
