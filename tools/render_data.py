"""Render twins of re-identification datasets in the real layouts: python tools/render_data.py --root datasets-mini."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tabulate import tabulate

from reidzoo.errors import UserError
from reidzoo.render import TWINS, contact_sheet, overview, render_twins, vehicle_overview
from reidzoo.render.twins import renderer_version
from reidzoo.render.vehicles.layouts import VEHICLE_LAYOUTS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--root", default="datasets-mini", help="folder that will hold the rendered datasets")
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help=f"some of {', '.join(TWINS)}; all if not given")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of identities")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 takes one per available core")
    parser.add_argument("--contact-sheet", metavar="DIR", help="also draw contact sheets of these datasets into DIR")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Render, print what is there now, and return the exit code: 0, or 2 when the user has to mend something."""
    args = parse_args(argv)
    try:
        twins = render_twins(args.root, args.datasets, args.scale, args.seed, args.jobs)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = [
        (t.dataset, t.ids, t.images, t.folder, renderer_version(t.dataset), "rendered" if t.rendered else "was there")
        for t in twins
    ]
    print(tabulate(rows, headers=["dataset", "ids", "images", "folder", "renderer version", ""]))
    print(f"seed {args.seed}, scale {args.scale}")
    if args.contact_sheet:
        folder = Path(args.contact_sheet)
        folder.mkdir(parents=True, exist_ok=True)
        for twin in twins:
            contact_sheet(twin.dataset, args.seed).save(folder / f"{twin.dataset}.png")
        names = {twin.dataset for twin in twins}
        if names - set(VEHICLE_LAYOUTS):
            overview(args.seed).save(folder / "overview.png")
        if names & set(VEHICLE_LAYOUTS):
            vehicle_overview(args.seed).save(folder / "vehicles.png")
        print(f"contact sheets in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
