"""Rank a folder's images by how much they look like one image: a picture of the first, and a list of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.arguments import add_model, add_prior, add_trust, named_model
from reidzoo.commands.gallery import report_left_out
from reidzoo.errors import DatasetError, UserError
from reidzoo.files import show_path

if TYPE_CHECKING:
    import numpy as np

    from reidzoo.gallery.records import Match
    from reidzoo.inference.decision import Decision
    from reidzoo.inference.ready_model import ReadyModel

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo search domainmix_mini somebody.jpg my_data/crops/gallery --output found.png
The folder is embedded each time; to search it often, keep it: reidzoo gallery --help"""
HEIGHT = 160
"""Pixels of an image in the picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser, "a model of the zoo, a run's folder, a model file or a checkpoint")
    parser.add_argument("query", metavar="IMAGE", help="a file with the person or vehicle to look for")
    parser.add_argument("folder", metavar="FOLDER", help="where to look: all images in it, and in all folders in it")
    parser.add_argument("--output", type=Path, default=Path("search.png"), metavar="FILE", help="the picture, a .png")
    parser.add_argument("--top", type=int, default=10, metavar="K", help="how many images are shown (default: 10)")
    add_prior(parser)
    parser.add_argument("--skip-unreadable", action="store_true", help="leave files out that are not readable images")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images")
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Embed the folder, print the nearest images and draw them."""
    from reidzoo.datasets.base import images_below
    from reidzoo.engine.build import pick_device
    from reidzoo.engine.image_check import ImageCheck
    from reidzoo.gallery import Gallery
    from reidzoo.inference.decision import Decision
    from reidzoo.inference.load import load

    if args.top < 1 or args.workers < 0 or args.output.suffix != ".png":
        raise UserError("--top takes a number from 1 up, --workers one from 0 up, --output a file that ends in .png")
    if not os.path.isdir(args.folder):
        raise UserError(f"{args.folder} is not a folder; name the one whose images are to be searched")
    images = images_below(args.folder)
    if not images:
        raise UserError(f"{args.folder} holds no image")
    ImageCheck([args.query]).run()
    model = load(named_model(args), device=str(pick_device(args.device)), stage=args.stage, trust=args.trust)
    decision = Decision.of(model, args.prior)
    gallery, how = Gallery.new(model), {"skip_unreadable": args.skip_unreadable, "workers": args.workers}
    try:
        report_left_out(gallery.add(images, title="embedding the folder", **how))
    except DatasetError as error:
        raise DatasetError(f"{error}\n--skip-unreadable leaves such files out, and searches the rest") from None
    (matches,) = gallery.search(args.query, args.top + 1)
    own = os.path.realpath(args.query)
    others = [match for match in matches if os.path.realpath(match.name) != own]
    count, matches = len(gallery) - (len(matches) - len(others)), others[: args.top]
    if not matches:
        raise UserError(f"{args.folder} holds no image but {args.query} itself")
    _print(decision, matches, count)
    _draw(model, decision, args.query, matches, args.output)
    print(f"\nThis is in {show_path(args.output)}.")


def _print(decision: Decision | None, matches: Sequence[Match], count: int) -> None:
    from tabulate import tabulate

    from reidzoo.inference.decision import PRIOR

    rows = []
    for place, match in enumerate(matches, 1):
        row = [str(place), f"{match.similarity:.4f}"]
        if decision:
            row += [f"{decision.probability(match.similarity):.3f}", decision.side(match.similarity)]
        rows.append([*row, show_path(match.name)])
    head = ["", "similarity", *(["probability", "threshold"] if decision else []), "image"]
    print(f"the {len(matches)} most similar of {count:,} images\n")
    print(tabulate(rows, head, disable_numparse=True))
    if decision:
        print(f"\nprobability: of one identity at {decision.prior_words} ({PRIOR})")
        print(f"threshold: above or below {decision.calibration.threshold:.4f}, {decision.threshold_words}")
    else:
        print("\nHow probably they are one and the same, reidzoo calibrate can find out.")


def _draw(model: ReadyModel, decision: Decision | None, query: str, matches: Sequence[Match], path: Path) -> None:
    """Write the picture; nobody knows here whom the images show, so that none is marked as right or wrong."""
    from reidzoo.files import write_whole
    from reidzoo.visualization import Strip, Tile, strips_png

    tiles, title = [Tile(_pixels(model, query), "query", "query")], os.path.basename(query)
    for match in matches:
        caption = f"{match.similarity:.2f}"
        if decision:
            caption += f", {100 * decision.probability(match.similarity):.0f} %"
        tiles.append(Tile(_pixels(model, match.name), caption=caption))
    if decision:
        above = sum(decision.side(match.similarity) == "above" for match in matches)
        title += f": {above} of {len(matches)} above {decision.threshold_words}; % at {decision.prior_words}"
    with write_whole(path) as file:
        file.write(strips_png([Strip(title, tiles)]))


def _pixels(model: ReadyModel, path: str) -> np.ndarray:
    """Return an image in the shape that the model sees, uint8 (H, W, 3)."""
    from reidzoo.transforms import read_picture

    height, width = model.size
    return read_picture(path, (HEIGHT, max(round(HEIGHT * width / height), 1)))
