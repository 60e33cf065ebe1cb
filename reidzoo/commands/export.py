"""Keep the model of a finished run: a model file with its test-time weights, a sidecar, and an entry in an index."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.commands.arguments import add_trust
from reidzoo.errors import UserError
from reidzoo.files import show_path
from reidzoo.version import ROOT

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo export --weights output/DomainMix/mini --name domainmix_mini --output-dir models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="the run's folder (OUTPUT_DIR)")
    parser.add_argument("--weights", type=Path, metavar="RUN", help="the same, by the name that other commands use")
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--name", required=True, help="what the zoo calls it; ours of the twins end in _mini")
    parser.add_argument(
        "--half", action=argparse.BooleanOptionalAction, default=True,
        help="keep float16 if that changes no mAP by more than 0.1 percentage points",
    )  # fmt: skip
    parser.add_argument(
        "--output-dir", "--into", type=Path, default=ROOT / "zoo", metavar="DIR",
        help="where model file, sidecar and index.yml go (default: the repository's zoo)",
    )  # fmt: skip
    parser.add_argument("--allow-dirty", action="store_true", help="also keep what uncommitted code made")
    add_trust(parser)


def run(args: argparse.Namespace) -> None:
    """Write the model file, its sidecar and its entry, and print what it reaches."""
    from reidzoo.publishing.export import export_model
    from reidzoo.publishing.index_writer import write_entry

    folder = args.weights or args.run
    if folder is None:
        raise UserError("name the run whose model is to be kept: its folder, or --weights and its folder")
    into = args.output_dir.resolve()
    sidecar = export_model(
        folder,
        args.name,
        into,
        repository=ROOT,
        stage=args.stage,
        halve=args.half,
        dirty=args.allow_dirty,
        trust=args.trust,
    )
    index = into / "index.yml"
    write_entry(index, into, sidecar)
    print(f"{show_path(into / args.name)}.safetensors: {sidecar['dtype']}, {sidecar['size']:,} bytes")
    if sidecar["notes"]:
        print(sidecar["notes"])
    for target, kept in sidecar["kept_metrics"].items():
        figures = ", ".join(f"{key} {100 * kept[key]:.1f}" for key in ("mAP", "rank-1"))
        print(f"{target}: {figures} (the run's mAP: {100 * sidecar['metrics'][target]['mAP']:.1f})")
    print(f"written too: {args.name}.yml next to it, its entry in {show_path(index)}")
    if into == ROOT / "zoo":
        print("now write the page: python tools/build_model_zoo.py")
