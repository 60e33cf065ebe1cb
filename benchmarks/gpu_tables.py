"""Run DomainMix's tables on one GPU within a time limit: as many rows and seeds as fit, the telling ones first.

    python benchmarks/gpu_tables.py --seconds 540 --out results [--seeds 5] [--jobs 8]
    python benchmarks/gpu_tables.py --seconds 600 --out results --device cpu --tiny          # checks the script itself

It renders the twins that are missing and measures how many training steps a second ``--jobs`` processes make
together at 256 x 128. It takes that size if three seeds of all rows fit into the time, and 128 x 64 otherwise, and runs
units, a stage of a row at a seed each, until the time is up; the next call with the same ``--work`` goes on. The rule
of the profile is in docs/profiles.md. ``--out`` receives the tables as JSON and Markdown, each finished unit's figures,
and ``run.json``, which says what was measured and what was chosen; no checkpoints.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.datasets import build_dataset
from reidzoo.engine.build import build_train_sets, pick_device
from reidzoo.errors import DatasetError, UserError
from reidzoo.files import write_text
from reidzoo.registry import TRAINER
from reidzoo.runs.cli import run_tool
from reidzoo.tables import Plan, Scheduler, Table, Unit, collect, make_plan, read_table, render
from reidzoo.tables.time_limit import TimeUp, time_limit

PROJECT = Path(__file__).resolve().parents[1] / "projects" / "DomainMix"
PROFILE = "mobilenet"
TWINS = ("RandPerson", "MSMT17", "Market1501", "CUHK03NP")
ROWS = (
    ("table1", "only_rp", "refined", "control", "db", "spcl", "control_labeled", "domainmix_labeled"),
    ("table_why", "oracle_merge", "oracle_split", "db_heavy", "db_text", "control_text"),
    ("table1", "only_rp_long", "directmix_labeled", "kl", "initial", "only_real", "only_real_long", "bmvc", "mmt"),
    ("table_why", "bmvc_rare", "bmvc_hard", "bmvc_cold", "db_slow", "control_groups", "db_groups"),
)
"""Table and rows in the order in which they are run, seed by seed.

Without ``narrow``, the network of ``--mini``: the sizes of this program would be laid over it, too.
"""
LARGE, SMALL = (256, 128), (128, 64)
SETS = {"DomainAdaptationTrainer": 2, "SourcePretrainTrainer": 2, "MutualMeanTrainer": 5}
"""Batches of 64 images that a step of these trainers passes through a network; the others pass one."""
LAST = 30.0
"""Seconds kept for the end: units save themselves, and the results are written."""
FILES = ("results.json", "metrics.jsonl", "pseudo_labels.json", "pseudo_labels.csv", "unit.json")
"""The small files of a unit."""
TINY = ("SOLVER.MAX_EPOCHS", "1", "SOLVER.ITERS_PER_EPOCH", "2", "TEST.IMS_PER_BATCH", "256")


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=540, help="for everything, rendering and measuring too")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=8, help="processes on the GPU")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--work", type=Path, default=Path("output/gpu_tables"), help="folder of the runs")
    parser.add_argument("--data-root", default="datasets-mini")
    parser.add_argument("--scale", type=float, default=1.0, help="of twins that are rendered")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--size", choices=("auto", "large", "small"), default="auto", help="256 x 128, 128 x 64, or by rule"
    )
    parser.add_argument("--rows", nargs="+", help="these rows only")
    parser.add_argument("--tiny", action="store_true", help="two steps a stage")
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY VALUE", help="overrides for every stage")
    parser.add_argument("--measure", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        _measure_here(args)
    else:
        _run(args)


def _run(args: argparse.Namespace) -> None:
    begin = time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    said: dict[str, Any] = {"seconds": args.seconds, "jobs": args.jobs, "device": _device_name(args.device)}
    missing = [name for name in TWINS if not _is_there(name, args.data_root)]
    if missing:
        command = [sys.executable, "-m", "reidzoo", "render", "--data-root", args.data_root, "--scale", str(args.scale)]
        subprocess.run([*command, "--datasets", *missing], check=True)
    said["rendered"] = round(time.monotonic() - begin, 1)
    if args.size == "auto":
        said["measured"] = _measure(args)
    left = args.seconds - LAST - (time.monotonic() - begin)
    size = _choose(args, said, left)
    said["size"] = list(size)
    _note(args.out, said)
    tables, units = _plan(args, size)
    said["units"] = len(units)
    command = [sys.executable, "-m", "reidzoo", "train", "--resume", "--config-file"]
    try:
        left = args.seconds - LAST - (time.monotonic() - begin)
        with time_limit(max(left, 1), grace=LAST / 2):
            said["failed"] = Scheduler(units, args.jobs, lambda unit: [*command, str(unit.folder / "config.yml")]).run()
    except (TimeUp, KeyboardInterrupt):
        said["stopped"] = "the time is up"
    said["done"] = [unit.name for unit in units.values() if unit.done]
    said["took"] = round(time.monotonic() - begin, 1)
    _note(args.out, said)
    _collect(args, tables, units)
    print(json.dumps({key: value for key, value in said.items() if key != "done"}, indent=1), len(said["done"]), "done")


# ---- the size --------------------------------------------------------------------------------------------------------


def _measure(args: argparse.Namespace) -> dict[str, float]:
    """Return the steps a second of ``--jobs`` processes together at 256 x 128, and the seconds that a start takes."""
    seconds = 1.0 if args.tiny else 10.0
    command = [sys.executable, __file__, "--measure", str(seconds), "--out", str(args.out), "--device", args.device]
    command += ["--data-root", args.data_root, *(["--opts", *args.opts] if args.opts else [])]
    begin = time.monotonic()
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(args.jobs)]
    answers = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    start = time.monotonic() - begin - seconds
    return {"steps_per_second": round(sum(answers), 2), "start_seconds": round(start, 1)}


def _measure_here(args: argparse.Namespace) -> None:
    """Print how many steps of stage 2 on the synthetic set this process makes in a second."""
    opts = _options(args, LARGE)
    only = {"STAGES": {"backbone": {"DATASETS": {"TRAIN": {"train": "RandPerson"}}}}, "HOOKS": {"probe": None}}
    overlays = [PROJECT / "mobilenet_msmt.yml", only]
    cfg = stage_configs(load_config(PROJECT / "rp_msmt.yml", opts, overlays, stage="backbone"))["backbone"]
    device = pick_device(cfg.DEVICE)
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=args.out, device=device)
    trainer.parts.train()
    steps, begin = -3, 0.0
    while steps <= 0 or time.monotonic() - begin < args.measure:
        for batch in trainer.loader.epoch(0):
            if steps == 0:
                _wait(device)
                begin = time.monotonic()
            trainer.train_step(batch)
            steps += 1
            if steps > 0 and time.monotonic() - begin > args.measure:
                break
    _wait(device)
    print(json.dumps(steps / (time.monotonic() - begin)))


def _choose(args: argparse.Namespace, said: dict[str, Any], left: float) -> tuple[int, int]:
    """Return 256 x 128 if three seeds of all rows fit into ``left`` seconds, and 128 x 64 otherwise."""
    if args.size != "auto":
        return LARGE if args.size == "large" else SMALL
    units = _plan(args, LARGE)[1].values()
    a_seed = [unit for unit in units if unit.seed == 0]
    work = sum(_steps(unit) for unit in a_seed) / said["measured"]["steps_per_second"]
    starts = len(a_seed) * (said["measured"]["start_seconds"] + 10) / args.jobs  # 10 s: clustering, tests
    said["a_seed_takes"] = round(work + starts, 1)
    return LARGE if 3 * (work + starts) <= left else SMALL


def _steps(unit: Unit) -> int:
    """Return the batches of 64 images that a unit passes through a network for training."""
    return unit.config.SOLVER.MAX_EPOCHS * unit.config.SOLVER.ITERS_PER_EPOCH * SETS.get(unit.config.TRAINER.type, 1)


# ---- the tables ------------------------------------------------------------------------------------------------------


def _options(args: argparse.Namespace, size: Sequence[int]) -> list[str]:
    opts = ["DATASETS.ROOT", args.data_root, "DEVICE", args.device, "SOLVER.CHECKPOINT_PERIOD", "1000"]
    opts += ["INPUT.SIZE", str(list(size)), "INPUT.TRANSFORMS.crop.pad", str(size[0] * 10 // 256)]
    if args.device == "cuda":
        opts += ["SOLVER.PRECISION", "bf16", "DATALOADER.NUM_WORKERS", "2"]  # of each process, and there are several
    return [*opts, *args.opts]


def _plan(args: argparse.Namespace, size: Sequence[int]) -> tuple[dict[str, tuple[Table, Plan]], dict[str, Unit]]:
    """Return the tables with their plans, and the units in the order in which they are run."""
    opts = _options(args, size) + [*TINY] * args.tiny
    folder = args.work / f"{size[0]}x{size[1]}"
    tables = {}
    for name in dict.fromkeys(name for name, *_ in ROWS):
        table = read_table(PROJECT / f"{name}.yml")
        tables[name] = table, make_plan(table, folder, range(args.seeds), opts=opts, profile=PROFILE)
    units: dict[str, Unit] = {}
    for seed in range(args.seeds):
        for name, *rows in ROWS:
            plan = tables[name][1]
            chosen = [row for row in rows if not args.rows or row in args.rows]
            wanted = plan.needed(plan.variants, chosen)
            units.update({key: unit for key, unit in wanted.items() if unit.seed == seed and key not in units})
    if not units:
        raise UserError(f"--rows: none of {', '.join(args.rows)} is a row here")
    return tables, units


def _command(args: argparse.Namespace) -> str:
    """Return what the figures depend on, without this machine's paths."""
    words = ["benchmarks/gpu_tables.py", "--seconds", f"{args.seconds:g}", "--seeds", str(args.seeds), "--jobs"]
    words += [str(args.jobs), "--size", args.size, *(["--rows", *args.rows] if args.rows else [])]
    return shlex.join([*words, *(["--opts", *args.opts] if args.opts else [])])


def _collect(args: argparse.Namespace, tables: dict[str, tuple[Table, Plan]], units: dict[str, Unit]) -> None:
    """Write the tables and the small files of the units that are done."""
    for name, (table, plan) in tables.items():
        results = collect(table, plan, range(args.seeds), _command(args), PROFILE)
        write_text(args.out / f"{name}.json", json.dumps(results, indent=1) + "\n")
        write_text(args.out / f"{name}.md", render(results, "pipe", plan.variants) + "\n")
        print(render(results, "simple", plan.variants), "\n")
    for unit in units.values():
        target = args.out / "units" / unit.name
        files = FILES if unit.done else ()
        for file in (unit.folder / name for name in files):
            if file.is_file():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target / file.name)
        if not unit.done and (unit.folder / "output.txt").is_file():
            target.mkdir(parents=True, exist_ok=True)
            write_text(target / "output.txt", (unit.folder / "output.txt").read_text(errors="replace")[-4000:])


def _is_there(name: str, root: str) -> bool:
    try:
        return bool(build_dataset(name, root=root).train)
    except DatasetError:
        return False


def _note(out: Path, said: dict[str, Any]) -> None:
    write_text(out / "run.json", json.dumps(said, indent=1) + "\n")


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else device


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    run_tool(main)
