"""Write a page about a run: what its model gets right and wrong, in pictures, tables and words, and how it trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.commands.arguments import add_model, add_overrides, add_trust, named_model, overrides

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo report output/DomainMix/mini
reidzoo report spcl_mini --data-root datasets-mini --output-dir output/report/spcl_mini"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(
        parser, "a run's folder, also of one that still trains; or a model of the zoo, a model file or a checkpoint"
    )
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR",
        help="where report.html and the pictures go (default: report in the run's folder, else output/report/MODEL)",
    )  # fmt: skip
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's that is finished)")
    parser.add_argument(
        "--curves-only", action="store_true", help="draw what the run has written down, without data or model"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "auto"])
    add_trust(parser)
    add_overrides(parser, "overrides, such as DATASETS.TESTS '[Market1501]'")


def run(args: argparse.Namespace) -> None:
    """Write the page and the pictures.

    Raises:
        UserError: there is no such run or model, a test set is not there, or nothing is to be shown.
    """
    from reidzoo.errors import DatasetError
    from reidzoo.files import show_path
    from reidzoo.reporting import Report

    if args.weights and args.model:  # which then is the first KEY
        args.model, args.opts = None, [args.model, *args.opts]
    name = named_model(args)
    how = {"stage": args.stage, "opts": overrides(args), "device": args.device, "trust": args.trust}
    report = Report.of(name, **how, curves_only=args.curves_only)
    folder = args.output_dir
    if folder is None:
        folder = report.record.run.path / "report" if report.record else Path("output/report") / report.name
    try:
        page, *pictures = report.write(folder)
    except DatasetError as error:
        hint = "; --curves-only draws the training without images" if report.record else ""
        raise DatasetError(f"{error}{hint}") from None
    size = page.stat().st_size / 1e6
    print(f"{show_path(page)} ({size:.1f} MB) has it all; {len(pictures)} pictures lie next to it.")
