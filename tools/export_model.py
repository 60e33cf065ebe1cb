"""Keep the model of a finished run in the zoo: its test-time weights, a sidecar, and the entry in the index."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.files import show_path
from reidzoo.publishing.export import export_model
from reidzoo.publishing.index_writer import write_entry
from reidzoo.runs.cli import run_tool

REPOSITORY = Path(__file__).resolve().parent.parent


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python tools/export_model.py output/DomainMix/mini --name domainmix_mini",
    )
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="the run's folder (OUTPUT_DIR)")
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--name", required=True, help="what the zoo calls it; ours of the twins end in _mini")
    parser.add_argument(
        "--half", action=argparse.BooleanOptionalAction, default=True,
        help="keep float16 if that changes no mAP by more than 0.1 percentage points",
    )  # fmt: skip
    parser.add_argument(
        "--into", type=Path, default=REPOSITORY / "zoo", metavar="DIR",
        help="default: zoo, with the entry in reidzoo/zoo/index.yml; another folder gets an index.yml of its own",
    )  # fmt: skip
    parser.add_argument("--allow-dirty", action="store_true", help="also keep what uncommitted code made")
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    into = args.into.resolve()
    sidecar = export_model(
        args.run, args.name, into,
        repository=REPOSITORY, stage=args.stage, halve=args.half, dirty=args.allow_dirty,
    )  # fmt: skip
    ours = into == REPOSITORY / "zoo"
    index = REPOSITORY / "reidzoo" / "zoo" / "index.yml" if ours else into / "index.yml"
    write_entry(index, into, sidecar)
    print(f"{show_path(into / args.name)}.safetensors: {sidecar['dtype']}, {sidecar['size']:,} bytes")
    if sidecar["notes"]:
        print(sidecar["notes"])
    for target, kept in sidecar["kept_metrics"].items():
        figures = ", ".join(f"{key} {100 * kept[key]:.1f}" for key in ("mAP", "rank-1"))
        print(f"{target}: {figures} (the run's mAP: {100 * sidecar['metrics'][target]['mAP']:.1f})")
    print(f"written too: {args.name}.yml beside it, its entry in {show_path(index)}")
    if ours:
        print("now write the page: python tools/build_model_zoo.py")


if __name__ == "__main__":
    run_tool(main)
