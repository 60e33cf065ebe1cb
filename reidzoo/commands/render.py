"""Draw small twins of re-identification datasets, in the real sets' layouts and file names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.errors import UserError

if TYPE_CHECKING:
    from reidzoo.render import Twin

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo render --data-root datasets-mini --datasets Market1501 RandPerson"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--data-root", default="datasets-mini", metavar="DIR",
        help="folder that will hold the rendered datasets (default: datasets-mini)",
    )  # fmt: skip
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help="some of them, such as Market1501 (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="factor on the number of identities")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same bytes")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: one per core)")
    parser.add_argument(
        "--video", action="store_true",
        help="draw videos of several cameras with true tracks (MOT's format) instead of datasets of crops",
    )  # fmt: skip
    parser.add_argument("--frames", type=int, default=150, metavar="N", help="of each sequence (default: 150)")
    parser.add_argument("--contact-sheet", metavar="DIR", help="also draw contact sheets of these datasets into DIR")


def run(args: argparse.Namespace) -> None:
    """Render what is not there yet, and print what is there now."""
    from tabulate import tabulate

    if args.video:
        _render_video(args)
        return
    from reidzoo.render import render_twins
    from reidzoo.render.twins import TWINS, renderer_version

    for name in args.datasets or TWINS:
        _refuse_beside_real(args.data_root, name)
    twins = render_twins(args.data_root, args.datasets, args.scale, args.seed, args.jobs)
    rows = [
        (t.dataset, t.ids, t.images, t.folder, renderer_version(t.dataset), "rendered" if t.rendered else "was there")
        for t in twins
    ]
    print(tabulate(rows, headers=["dataset", "ids", "images", "folder", "renderer version", ""]))
    print(f"seed {args.seed}, scale {args.scale}")
    if args.contact_sheet:
        _draw_sheets(twins, args.seed, Path(args.contact_sheet))


def _refuse_beside_real(root: str, name: str) -> None:
    """Refuse a twin that would be read in the place of the real images, which have several accepted folders."""
    from reidzoo.datasets import build_dataset
    from reidzoo.errors import DatasetError
    from reidzoo.render.twins import TWINS

    if name not in TWINS:  # the renderer says so
        return
    try:
        data = build_dataset(name, root)
    except DatasetError:  # nothing is there
        return
    if not data.is_twin:
        raise UserError(
            f"{data.folder} holds {data.name}, and a twin beside it would be read in its place. Choose another "
            "--data-root, so that real and rendered data never mix."
        )


def _render_video(args: argparse.Namespace) -> None:
    from reidzoo.render import render_video

    if args.datasets or args.contact_sheet:
        raise UserError("--video draws no datasets of crops: leave --datasets and --contact-sheet out")
    twin = render_video(args.data_root, args.scale, args.seed, args.jobs, args.frames)
    print(f"{twin.folder}: {twin.ids} people, {twin.images:,} frames {'rendered' if twin.rendered else 'were there'}")


def _draw_sheets(twins: list[Twin], seed: int, folder: Path) -> None:
    from reidzoo.render import contact_sheet, overview, vehicle_overview
    from reidzoo.render.vehicles.layouts import VEHICLE_LAYOUTS

    folder.mkdir(parents=True, exist_ok=True)
    for twin in twins:
        contact_sheet(twin.dataset, seed).save(folder / f"{twin.dataset}.png")
    names = {twin.dataset for twin in twins}
    if names - set(VEHICLE_LAYOUTS):
        overview(seed).save(folder / "overview.png")
    if names & set(VEHICLE_LAYOUTS):
        vehicle_overview(seed).save(folder / "vehicles.png")
    print(f"contact sheets in {folder}")
