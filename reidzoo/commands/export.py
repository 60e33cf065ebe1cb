"""Keep a trained model: a run's as a model file with sidecar and index, any model's as a graph for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.arguments import add_model, add_trust, named_model
from reidzoo.errors import UserError
from reidzoo.files import show_path
from reidzoo.version import ROOT

if TYPE_CHECKING:
    from reidzoo.deployment import Exported, ExportPlan

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo export --weights output/DomainMix/mini --name domainmix_mini --output-dir models
or:  reidzoo export domainmix_mini --to onnx --input uint8 --crops my_data/crops
or:  reidzoo export models/mine.safetensors --for boxmot --output-dir models"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model(parser, "a run's folder; with --to or --for also a model of the zoo, a model file or a checkpoint")
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument("--name", help="what it is called; needed for a model file (ours of the twins end in _mini)")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR",
        help="where the files go (default: exported; for model files the repository's zoo)",
    )  # fmt: skip
    add_trust(parser)
    kept = parser.add_argument_group("model files (.safetensors)")
    kept.add_argument(
        "--half", action=argparse.BooleanOptionalAction, default=True,
        help="keep float16 if that changes no mAP by more than 0.1 percentage points",
    )  # fmt: skip
    kept.add_argument("--licence", default="", metavar="TEXT", help="of the weights, such as CC-BY-4.0 (not stated)")
    kept.add_argument(
        "--code-version", default="", metavar="TEXT",
        help="of your own code (default: the commit of the folder that you are in, if that is a git checkout)",
    )  # fmt: skip
    kept.add_argument("--allow-dirty", action="store_true", help="also keep what uncommitted code made")
    _add_graph_arguments(parser.add_argument_group("graphs for other programs"))


def _add_graph_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--to", default="", metavar="FORMAT", help="onnx, torchscript, openvino or pt2")
    group.add_argument(
        "--for", dest="consumer", default="", metavar="PROGRAM",
        help="boxmot, ultralytics, roboflow, deepstream or norfair: its file, its names, and a graph for what it feeds",
    )  # fmt: skip
    group.add_argument("--precision", default="fp32", choices=("fp32", "fp16", "int8"), help="of weights and sums")
    group.add_argument(
        "--input", default="normalised", metavar="PIXELS",
        help="normalised (outside), unit ([0, 1]) or uint8 (0..255); with the latter two the graph normalises",
    )  # fmt: skip
    group.add_argument("--input-size", metavar="HxW", help="of the images that are fed; the graph resizes them")
    group.add_argument("--view", default="", help="query or gallery, with a model of two networks (default: both)")
    group.add_argument(
        "--crops", default="", metavar="SOURCE",
        help="images to compare file and model on: a folder, a CSV, a dataset (default: rendered ones)",
    )  # fmt: skip
    group.add_argument("--most", type=int, default=2000, metavar="N", help="of the crops, at most (default: 2000)")
    group.add_argument("--calibration", metavar="DIR", help="images for int8's ranges (default: from the crops)")
    group.add_argument(
        "--tolerance", type=float, default=0.1, metavar="POINTS",
        help="points of mAP that may differ; without labels, percent of changed nearest crops (default: 0.1)",
    )  # fmt: skip
    group.add_argument("--force", action="store_true", help="write the file though it ranks differently")
    group.add_argument("--overwrite", action="store_true", help="replace files of the name")
    group.add_argument("--data-root", default="datasets", metavar="DIR", help="where a dataset is looked for")


def run(args: argparse.Namespace) -> None:
    """Write the files and print what they reach."""
    model = named_model(args)
    if args.to or args.consumer:
        _export_graph(model, args)
    else:
        _keep_model_file(Path(model), args)


def _keep_model_file(folder: Path, args: argparse.Namespace) -> None:
    """Write the model file, its sidecar and its entry, and print what it reaches."""
    from reidzoo.publishing.export import export_model
    from reidzoo.publishing.index_writer import write_entry
    from reidzoo.runs.environment import own_commit

    if not args.name:
        raise UserError("--name is needed: what the zoo calls the model; or say --to or --for, to write a graph")
    if args.output_dir is None and not (ROOT / "pyproject.toml").is_file():
        raise UserError("--output-dir is needed: where the model file is written, outside a checkout of reidzoo")
    into = (args.output_dir or ROOT / "zoo").resolve()
    sidecar = export_model(
        folder,
        args.name,
        into,
        repository=ROOT,
        stage=args.stage,
        halve=args.half,
        dirty=args.allow_dirty,
        trust=args.trust,
        licence=args.licence,
        code_version=args.code_version or own_commit(),
    )
    index = into / "index.yml"
    write_entry(index, into, sidecar)
    print(f"{show_path(into / args.name)}.safetensors: {sidecar['dtype']}, {sidecar['size']:,} bytes")
    if sidecar["notes"]:
        print(sidecar["notes"])
    for target, kept in sidecar["kept_metrics"].items():
        figures = ", ".join(f"{key} {100 * kept[key]:.1f}" for key in ("mAP", "rank-1"))
        print(f"{target}: {figures} (the run's mAP: {100 * sidecar['metrics'][target]['mAP']:.1f})")
    print(f"written too: {args.name}.yml and its card {args.name}.md next to it, its entry in {show_path(index)}")
    if into == ROOT / "zoo":
        print("now write the page: python tools/build_model_zoo.py")


def _export_graph(what: str, args: argparse.Namespace) -> None:
    """Write the graph and print how it compares."""
    from reidzoo.deployment import ExportPlan, export_graph, find_crops
    from reidzoo.deployment.crops import image_files
    from reidzoo.inference.load import load

    if args.most < 2 or not args.tolerance >= 0:
        raise UserError("--most takes a number from 2 up, --tolerance one from 0 up")
    model = load(what, stage=args.stage, trust=args.trust)
    name = args.name or str(model.info["name"])
    plan = ExportPlan.make(
        model, name, to=args.to, consumer=args.consumer, given=args.input, size=_size(args.input_size),
        precision=args.precision, view=args.view,
    )  # fmt: skip
    into = args.output_dir or Path("exported")
    plan.check_free(into, args.overwrite)
    calibration = image_files(args.calibration, 256) if args.calibration else ()
    with find_crops(args.crops, args.data_root, model.config, args.most) as crops:
        exported = export_graph(
            plan, crops, into, calibration=calibration, tolerance=args.tolerance / 100, force=args.force,
            overwrite=args.overwrite,
        )  # fmt: skip
    _report(plan, exported)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, cross, width = text.partition("x")
    if not (cross and height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UserError(f"--input-size is height x width in pixels, such as 256x128; got {text!r}")
    return int(height), int(width)


def _report(plan: ExportPlan, exported: Exported) -> None:
    """Print what was written, how it compares, and how it is used."""
    from tabulate import tabulate

    parity, report = exported.parity, exported.report
    print(f"{', '.join(show_path(file) for file in exported.files)}")
    print(
        f"on {parity.images:,} crops ({parity.crops}): largest difference {parity.largest_difference:.2g}, smallest "
        f"cosine {parity.smallest_cosine:.6f}, nearest crop changed for {100 * parity.changed_neighbours:.1f} %"
    )
    values = {"model": parity.mAP_model, "file": parity.mAP_file}
    rows = []
    for side, value in values.items():
        speed = report["speed"][side]
        shown = "-" if value is None else f"{100 * value:.2f}"
        rows.append((side, speed["runtime"], shown, f"{speed['latency_ms']:.2f}", f"{speed['images_per_second']:.0f}"))
    print(tabulate(rows, ["", "run by", "mAP", "ms per image", "images/s"], disable_numparse=True))
    print(f"measured with {report['speed']['threads']} threads of the CPU")
    own = report["parity"].get("mAP_model_with_its_own_resizing")
    if plan.consumer and own is not None:
        print(f"with the resizing that it was trained with, the model's mAP is {100 * own:.2f}")
    if not report["ranks_as_the_model"]:
        print("the file RANKS DIFFERENTLY than the model; it was written because of --force")
    for command in report.get("tensorrt", ()):
        print(f"for TensorRT, on the GPU that will run it: {command}")
    if "usage" in report:
        print(report["usage"])
