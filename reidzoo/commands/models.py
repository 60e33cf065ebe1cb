"""List the models of the zoo by name, with what they were trained on and what they reach."""

from __future__ import annotations

import argparse

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--index", action="append", default=[], metavar="FILE", help="and those of this index")


def run(args: argparse.Namespace) -> None:
    """Print a line per model and dataset."""
    from tabulate import tabulate

    from reidzoo.zoo import entry, list_models, register_index

    for place in args.index:
        register_index(place)
    rows = []
    for name in list_models():
        model = entry(name)
        tests = list(model.metrics.items()) or [("", {})]
        for number, (target, figures) in enumerate(tests):
            shown = [f"{100 * figures[key]:.1f}" if key in figures else "" for key in ("mAP", "rank-1")]
            rows.append([name, model.data, target, *shown] if number == 0 else ["", "", target, *shown])
    print(tabulate(rows, ["model", "trained on", "tested on", "mAP", "rank-1"], disable_numparse=True))
