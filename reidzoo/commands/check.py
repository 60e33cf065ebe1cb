"""Try out what a configuration describes, without training it.

Every stage's data and parts are built, every phase takes a step on made-up images, the test sets are read, and all
images are opened. Nothing is written. What is wrong is listed, and the command exits with 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.commands.arguments import add_trust, overrides
from reidzoo.commands.train import add_run_arguments
from reidzoo.errors import UserError

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo check projects/DomainMix/mini.yml SOLVER.MAX_EPOCHS 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``, of which the file may stand first by itself."""
    add_run_arguments(parser, required=False)
    add_trust(parser)
    parser.add_argument("--deep", action="store_true", help="decode the pixels of all images, not only their headers")


def run(args: argparse.Namespace) -> None:
    """Print what was seen of every stage.

    Raises:
        UserError: everything that is wrong.
    """
    from reidzoo import distributed
    from reidzoo.config import load_config
    from reidzoo.runs.pipeline import Pipeline

    path = _config_file(args)
    pipeline = Pipeline(load_config(path, overrides(args), args.overlay, trust=args.trust or None))
    if args.eval_only:
        pipeline.check_evaluation(pipeline.cfg.MODEL.WEIGHTS, args.stage)
        print("the weights can be had, and the test sets read")
        return
    dry_run = pipeline.dry_run(args.deep, seconds=None)
    if distributed.is_main():
        print(dry_run.tables())
    dry_run.findings.raise_if_any()
    distributed.shutdown()


def _config_file(args: argparse.Namespace) -> Path:
    """Return the file, taken from the front of the words where there is no ``--config-file``."""
    path = args.config_file
    if not path and len(args.opts) % 2:
        path, *args.opts = args.opts
    if not path:
        raise UserError("what is to be checked? Name a configuration: reidzoo check FILE, or with --config-file FILE")
    if Path(path).is_dir() or Path(path).suffix not in (".yml", ".yaml", ".safetensors"):
        raise UserError(f"{path} is no configuration, such as projects/DomainMix/mini.yml")
    return Path(path)
