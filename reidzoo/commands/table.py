"""Run the rows of a paper's table that are not run yet, and print ours next to the paper's."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.arguments import add_overrides, overrides
from reidzoo.errors import Paused, UserError
from reidzoo.files import show_command, show_path, write_text
from reidzoo.suggest import closest
from reidzoo.version import ROOT

if TYPE_CHECKING:
    from reidzoo.tables import Plan, Table, Unit

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo table projects/DomainMix/table1.yml --mini --seeds 3 --jobs 2 --only initial refined

Interrupted, the same command goes on where it stopped."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("table", type=Path, metavar="TABLE", help="a table file, such as projects/*/table1.yml")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1 (default: the table's SEEDS)")
    rows_or_sweeps = "run these rows only, or those of these sweeps, in this order"
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help=rows_or_sweeps)
    parser.add_argument("--variants", nargs="+", default=[], metavar="NAME", help="run these variants only")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--mini", action="store_true", help="lay the table's OVERLAY over every row's configuration")
    sizes.add_argument("--profile", default="", metavar="NAME", help="the same with one of the table's PROFILES")
    parser.add_argument(
        "--overlay", action="append", default=[], type=Path, metavar="FILE", help="and lay this YAML over"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many stages run side by side")
    parser.add_argument(
        "--launcher", default="local", metavar="NAME",
        help="local: processes of this machine; submitit: SLURM's jobs; ray: tasks of a Ray cluster",
    )  # fmt: skip
    parser.add_argument(
        "--launcher-option", action="append", default=[], metavar="KEY=VALUE",
        help="for the cluster, such as slurm_partition=gpu, gpus_per_node=1, or num_gpus=1 with ray",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=int, metavar="S", help="stop after S seconds as Ctrl-C does; the same command goes on"
    )
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="default: output/PROJECT/tables[-OVERLAY]")
    parser.add_argument("--dry-run", action="store_true", help="run nothing; list what would run, print what is there")
    parser.add_argument(
        "--record", action="store_true",
        help="put the table into the project and its documents; figures "
        "on record of units that are not here stay where the configuration is the same",
    )  # fmt: skip
    add_overrides(parser, "overrides, for every stage of every row")


def run(args: argparse.Namespace) -> None:
    """Run, print and write the table."""
    from reidzoo.tables import make_plan, read_table
    from reidzoo.tables.time_limit import TimeUp

    if args.record and not (ROOT / "pyproject.toml").is_file():
        raise UserError("--record writes into the repository's documents; run it in a checkout")
    args.opts = overrides(args)
    table = read_table(args.table)
    if args.profile:
        _check_names("--profile", [args.profile], table.profiles)
    _check_names("--only", args.only, [*table.rows, *table.sweeps])
    only = [row for name in args.only for row in (table.sweeps[name].rows.values() if name in table.sweeps else [name])]
    _check_names("--variants", args.variants, table.variants)
    args.seeds = table.seeds if args.seeds is None else args.seeds
    if args.seeds < 1 or args.jobs < 1 or (args.seconds is not None and args.seconds < 1):
        raise UserError("--seeds, --jobs and --seconds take a number from 1 up")
    folder = args.output_dir or _default_folder(args, table)
    plan = make_plan(table, folder, range(args.seeds), args.overlay, args.opts, args.mini, args.profile)
    if args.profile:
        _check_names("--variants", args.variants, plan.variants)
    units = plan.needed(args.variants or plan.variants, only or table.rows)
    if args.dry_run:
        _list(units)
        _report(args, table, plan, folder)
        return
    try:
        failed = _run(units, args, folder)
    except KeyboardInterrupt:
        _report(args, table, plan, folder)
        raise
    except TimeUp:
        failed = {}
    _report(args, table, plan, folder)
    left = sum(not unit.done for unit in units.values()) - len(failed)
    for key, reason in failed.items():
        print(f"failed: {plan.units[key].name}: {reason}", file=sys.stderr)
    if failed:
        sys.exit(1)
    if left:
        raise Paused(f"{left} runs are left; the same command goes on with them")


def _check_names(option: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = closest(name, list(known), 0.5)
            hint = f"did you mean {near}?" if near else f"the table has {', '.join(known) or 'none'}"
            raise UserError(f"{option} {name}: not in the table; {hint}. (KEY VALUE pairs stand before {option}.)")


def _default_folder(args: argparse.Namespace, table: Table) -> Path:
    names = ["mini"] * args.mini + [args.profile] * bool(args.profile) + [path.stem for path in args.overlay]
    suffix = "".join(f"-{name}" for name in names)
    return Path("output") / table.path.resolve().parent.name / f"tables{suffix}"


def _list(units: dict[str, Unit]) -> None:
    for unit in units.values():
        print(f"{'done' if unit.done else 'to run':6}  {unit.name}")
    print(f"{sum(unit.done for unit in units.values())} of {len(units)} done\n")


def _run(units: dict[str, Unit], args: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Run what is not done and return what failed.

    Raises:
        TimeUp: ``--seconds`` have passed, and what ran has saved itself.
    """
    from reidzoo.tables import Scheduler
    from reidzoo.tables.launchers import build_launcher, read_options
    from reidzoo.tables.lock import locked
    from reidzoo.tables.scheduler import shared_environment
    from reidzoo.tables.time_limit import time_limit

    options = read_options(args.launcher_option)  # what is wrong with them is said before the trial
    _try_out([unit for unit in units.values() if not unit.done])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with locked(folder) as inherited, time_limit(args.seconds):
        environment, files = shared_environment(args.jobs), folder / "jobs"
        launcher = build_launcher(args.launcher, options, files, environment, inherited)
        return Scheduler(units, args.jobs, _train_command, launcher=launcher).run()


def _try_out(units: Sequence[Unit]) -> None:
    """Try all units before the first one trains, and not after hours at a later one; equal ones of other seeds once."""
    from reidzoo.engine.build import pick_device
    from reidzoo.runs.dry_run import DryRun
    from reidzoo.zoo.index import register_indexes

    if not units:
        return
    for unit in units:
        register_indexes(unit.config)
    configs = {unit.name: unit.config for unit in units}
    folders = {unit.name: unit.files for unit in units}
    dry_run = DryRun(configs, folders, pick_device(units[0].config.DEVICE)).run()
    dry_run.findings.raise_if_any()
    print(dry_run.summary())


def _train_command(unit: Unit) -> list[str]:
    """Return the command that runs a unit, or continues it."""
    from reidzoo.engine.run_folder import RunFolder

    return [sys.executable, "-m", "reidzoo", "train", "--config-file", str(RunFolder(unit.folder).config), "--resume"]


def _report(args: argparse.Namespace, table: Table, plan: Plan, folder: Path) -> None:
    """Print and write the table as far as it is, and put it into the project if that is wanted."""
    from reidzoo.tables import Record, collect, render
    from reidzoo.tables.plot import cmc_plot, ranks, sweep_plot

    record = Record.read(_record_file(table, args.profile)) if args.record else None
    results = collect(table, plan, range(args.seeds), _command(args), args.profile, record)
    variants = args.variants or plan.variants
    print(render(results, "simple", variants))
    plots = {f"{name}.svg": sweep_plot(results, name) for name in results["sweeps"]}
    if len(ranks(results)) > 2:
        plots["cmc.svg"] = cmc_plot(results)
    text = json.dumps(results, indent=1) + "\n"
    if not args.dry_run:
        own = folder / table.path.stem
        texts = {"results.json": text, "table.md": render(results, "pipe", variants) + "\n", **plots}
        for name, content in texts.items():
            write_text(own / name, content)
        print(f"\nThis table and the figures of every seed are in {own}/.")
    if args.record:
        _record(table, args.profile, text, plots)


def _record(table: Table, profile: str, text: str, plots: dict[str, str]) -> None:
    """Put the results into the project and the tables into the documents."""
    from reidzoo.publishing.documents import update_documents

    file = _record_file(table, profile)
    folder = file.parent
    texts = {file.name: text, **{f"{file.stem}-{name}": plot for name, plot in plots.items()}}
    for name, content in texts.items():
        write_text(folder / name, content)
    changed = update_documents(ROOT)
    print(f"{show_path(folder)}/: {', '.join(texts)}; tables written in {', '.join(map(show_path, changed)) or 'none'}")


def _record_file(table: Table, profile: str) -> Path:
    stem = f"{table.path.stem}-{profile}" if profile else table.path.stem
    return table.path.parent / "results" / f"{stem}.json"


def _command(args: argparse.Namespace) -> str:
    """Return the command that runs the whole table, without what is of this machine only."""
    words = ["tools/run_table.py", show_path(args.table), *["--mini"] * args.mini]
    words += ["--profile", args.profile] * bool(args.profile)
    for overlay in args.overlay:
        words += ["--overlay", show_path(overlay)]
    words += ["--seeds", str(args.seeds), *args.opts]
    return show_command(words)
