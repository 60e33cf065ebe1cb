"""Rank a folder's images by how much they look like one image: a picture of the first, and a list of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.arguments import add_model, add_trust, named_model
from reidzoo.errors import UserError
from reidzoo.files import show_path

if TYPE_CHECKING:
    import numpy as np

    from reidzoo.evaluation import Calibration
    from reidzoo.gallery.records import Match
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
    parser.add_argument(
        "--prior", type=float, metavar="SHARE",
        help="the share of the folder's images that show it, such as 0.01 for one in a hundred (default: the "
        "calibration's)",
    )  # fmt: skip
    parser.add_argument("--skip-unreadable", action="store_true", help="leave files out that are no readable image")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images")
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Embed the folder, print the nearest images and draw them."""
    from reidzoo.engine.build import pick_device
    from reidzoo.engine.image_check import ImageCheck
    from reidzoo.gallery import Gallery
    from reidzoo.inference.load import load

    if args.top < 1 or args.workers < 0 or args.output.suffix != ".png":
        raise UserError("--top takes a number from 1 up, --workers one from 0 up, --output a file that ends in .png")
    if not os.path.isdir(args.folder):
        raise UserError(f"{args.folder} is no folder; name the one whose images are to be searched")
    ImageCheck([args.query]).run()
    model = load(named_model(args), device=str(pick_device(args.device)), stage=args.stage, trust=args.trust)
    if args.prior is not None and (model.calibration is None or not 0 < args.prior < 1):
        raise UserError("--prior is a share between 0 and 1, and takes a model that reidzoo calibrate has written")
    gallery = Gallery.build(
        model, args.folder, skip_unreadable=args.skip_unreadable, workers=args.workers, title="embedding the folder"
    )
    (matches,) = gallery.search(args.query, args.top + 1)
    own = os.path.realpath(args.query)
    others = [match for match in matches if os.path.realpath(match.name) != own]
    count, matches = len(gallery) - (len(matches) - len(others)), others[: args.top]
    if not matches:
        raise UserError(f"{args.folder} holds no image but {args.query} itself")
    _print(model, matches, count, args.prior)
    _draw(model, args.query, matches, args.prior, args.output)
    print(f"\nThis is in {show_path(args.output)}.")


def _print(model: ReadyModel, matches: Sequence[Match], count: int, prior: float | None) -> None:
    from tabulate import tabulate

    known = model.calibration
    head = ["", "similarity", *(["probability", "verdict"] if known else []), "image"]
    rows = []
    for place, match in enumerate(matches, 1):
        row = [str(place), f"{match.similarity:.4f}"]
        if known:
            probability, accepted = known.probability(match.similarity, prior), known.accepts(match.similarity)
            row += [f"{float(probability):.3f}", "same" if accepted else "different"]
        rows.append([*row, show_path(match.name)])
    print(f"the {len(matches)} most similar of {count:,} images\n")
    print(tabulate(rows, head, disable_numparse=True))
    if known:
        print(f"\n{_share(known, prior)}; verdict: the same from {known.threshold:.4f} on")
    else:
        print("\nFrom which similarity on they are one and the same, reidzoo calibrate can find out.")


def _draw(model: ReadyModel, query: str, matches: Sequence[Match], prior: float | None, path: Path) -> None:
    """Write the picture: green and ticked what counts as the same, red and crossed what does not."""
    from reidzoo.files import write_whole
    from reidzoo.visualization import Strip, Tile, strips_png

    calibration = model.calibration
    tiles = [Tile(_pixels(model, query), "query", "query")]
    for match in matches:
        mark, caption = "plain", f"{match.similarity:.2f}"
        if calibration is not None:
            mark = "right" if calibration.accepts(match.similarity) else "wrong"
            caption += f", {100 * float(calibration.probability(match.similarity, prior)):.0f} %"
        tiles.append(Tile(_pixels(model, match.name), mark, caption))
    title = os.path.basename(query) + (f" ({_share(calibration, prior)})" if calibration is not None else "")
    with write_whole(path) as file:
        file.write(strips_png([Strip(title, tiles)]))


def _share(calibration: Calibration, prior: float | None) -> str:
    """Return what the probabilities are for, in words."""
    return f"probability where {100 * (prior or calibration.prior):g} % of the images show it"


def _pixels(model: ReadyModel, path: str) -> np.ndarray:
    """Return an image in the shape that the model sees, uint8 (H, W, 3)."""
    from reidzoo.transforms import read_image

    height, width = model.size
    size = (HEIGHT, max(round(HEIGHT * width / height), 1))
    return read_image(path, size, "bicubic").permute(1, 2, 0).numpy()
