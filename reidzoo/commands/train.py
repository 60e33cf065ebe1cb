"""Train what a configuration describes, stage by stage, and test it on the unseen targets."""

from __future__ import annotations

import argparse

from reidzoo.commands.arguments import add_config_arguments, add_trust, overrides
from reidzoo.errors import UserError
from reidzoo.files import show_path

__all__ = ["EXAMPLE", "add_arguments", "add_run_arguments", "run"]

EXAMPLE = "reidzoo train --config-file projects/DomainMix/mini.yml SOLVER.MAX_EPOCHS 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_run_arguments(parser)
    add_trust(parser)


def add_run_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add what says which run is meant, and how it begins."""
    parser.add_argument("--resume", action="store_true", help="continue the run that the output folder holds")
    parser.add_argument("--eval-only", action="store_true", help="only test --weights on DATASETS.TESTS")
    add_config_arguments(parser, required)


def run(args: argparse.Namespace) -> None:
    """Train or test, and print the results."""
    from reidzoo import distributed
    from reidzoo.config import load_config
    from reidzoo.config.trust import needs_trust
    from reidzoo.runs.pipeline import Pipeline, results_table

    if args.stage and not args.eval_only:
        raise UserError(
            "--stage goes with --eval-only; a run trains all stages of its file, and STAGES.NAME null leaves one out"
        )
    pipeline = Pipeline(load_config(args.config_file, overrides(args), args.overlay, trust=args.trust or None))
    if args.eval_only:
        results = pipeline.evaluate(pipeline.cfg.MODEL.WEIGHTS, args.stage)
    else:
        results = pipeline.train(go_on=args.resume)
    if distributed.is_main():
        if table := results_table(results, "weights" if args.eval_only else "stage"):
            print("\n" + table)
        if not args.eval_only:
            folder = show_path(pipeline.folder.path)
            print(f"\nThe run's files are in {folder}/: config.yml, log.txt, and a folder per stage.")
            trust = " --trust" if needs_trust(pipeline.folder.config) else ""
            print(f"What it gets right and wrong, as a page: reidzoo report {folder}{trust}")
    distributed.shutdown()
