"""Cut the people of annotated video or images (MOTChallenge, YOLO or COCO, with tracks) into crops."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.errors import UserError

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo crops datasets-mini/MOT-twin --shared-ids --output-dir my_data/crops"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE",
        help="a folder with img1/ and gt/gt.txt (MOT), or images/ and labels/ (YOLO), or a JSON file (COCO)",
    )  # fmt: skip
    parser.add_argument("--category", default="", metavar="NAME", help="the class to cut, of COCO and YOLO (people)")
    parser.add_argument(
        "--identity", default="", metavar="KEY",
        help="the key of COCO's annotations that says who it is (track_id or alike); class: each class is a person",
    )  # fmt: skip
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="a new folder, for FolderDataset")
    parser.add_argument("--every", type=int, default=10, metavar="N", help="one crop of a person in N frames (10)")
    parser.add_argument("--visibility", type=float, default=0.5, metavar="X", help="least share that is seen (0.5)")
    parser.add_argument("--height", type=int, default=32, metavar="N", help="least height of a box in pixels (32)")
    parser.add_argument(
        "--shared-ids", action="store_true",
        help="one number is one person in all sequences, as with several cameras of one place (MOT17: not so)",
    )  # fmt: skip
    parser.add_argument(
        "--test-share", type=float, default=0.3, metavar="X",
        help="share of the people to test on, where no sequences lie in a folder test or val (0.3)",
    )  # fmt: skip
    parser.add_argument(
        "--no-split", action="store_true", help="write DIR/PERSON only, for `reidzoo split` to divide the people"
    )


def run(args: argparse.Namespace) -> None:
    """Cut the crops and print how many there are."""
    from reidzoo.datasets.annotations.annotated_crops import CropRules, cut_crops

    if args.every < 1 or args.height < 1 or not 0 <= args.visibility <= 1 or not 0 <= args.test_share < 1:
        raise UserError("--every and --height are at least 1, --visibility is in [0, 1], --test-share in [0, 1)")
    if not args.source.exists():
        raise UserError(f"there is no folder or file {args.source}")
    rules = CropRules(args.every, args.visibility, args.height, args.shared_ids, args.test_share, not args.no_split)
    counts = cut_crops(args.source, args.output_dir, rules, args.category, args.identity)
    for split, (people, crops) in counts.items():
        print(f"{args.output_dir / split}: {people:,} people, {crops:,} crops")
