"""Test trained models on many datasets: a matrix of mAP and rank-1, and a picture of one dataset against transfer."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from reidzoo.commands.arguments import add_overrides, add_trust, overrides
from reidzoo.errors import UserError

if TYPE_CHECKING:
    from reidzoo.runs.find_model import TrainedModel

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo test --weights domainmix_mini --targets Market1501 DukeMTMC --data-root datasets-mini

Repeat --weights or --config-file for a row each."""
KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.\w+)+")
"""What tells an override behind --targets from a dataset's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--config-file", action="append", default=[], metavar="FILE", help="a model's configuration")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="MODEL",
        help="a model of the zoo, a run's folder, a model file, which carry their configuration, or a checkpoint "
        "(default: the configuration's OUTPUT_DIR, or MODEL.WEIGHTS)",
    )  # fmt: skip
    parser.add_argument("--stage", default="", help="whose model (default: the last stage's)")
    parser.add_argument(
        "--targets", nargs="+", default=[], metavar="NAME",
        help="datasets to test on, by name or as '{type: VehicleID, test_size: 1600}' (default: those that the models "
        "were trained on or are to be tested on); of overrides, only keys with a dot may stand behind them",
    )  # fmt: skip
    parser.add_argument("--overlay", action="append", default=[], metavar="FILE", help="a YAML merged over every file")
    parser.add_argument("--output-dir", type=Path, default=Path("output/transfer"), metavar="DIR")
    add_trust(parser)
    add_overrides(parser, "overrides, for every model")


def run(args: argparse.Namespace) -> None:
    """Test every model on every target, print the matrix and write it."""
    from reidzoo import distributed
    from reidzoo.datasets.nodes import read_node
    from reidzoo.files import write_text
    from reidzoo.runs.environment import environment
    from reidzoo.runs.transfer_matrix import evaluate_model, matrix, scatter

    _take_overrides(args)
    models = _models(args)
    targets = [read_node(text, "--targets") for text in dict.fromkeys(args.targets)] or _default_targets(models, args)
    if not targets:
        raise UserError("nothing says what to test on; name the datasets with --targets")
    args.output_dir.mkdir(parents=True, exist_ok=True)  # a place that takes no files is named before the work
    rows = [evaluate_model(model, targets, args.opts, args.overlay) for model in models]
    if distributed.is_main():
        table, picture = matrix(rows), scatter(rows)
        print(f"\n{table}\n")  # before anything is written: a full disk loses no figure
        results = {"targets": targets, "rows": rows, "environment": environment()}
        texts = {"json": json.dumps(results, indent=1) + "\n", "md": matrix(rows, "pipe") + "\n"}
        if picture:
            texts["svg"] = picture
        for kind, text in texts.items():
            write_text(args.output_dir / f"transfer.{kind}", text)
        print(f"This is in {args.output_dir}/: {', '.join(f'transfer.{kind}' for kind in texts)}.")
    distributed.shutdown()


def _take_overrides(args: argparse.Namespace) -> None:
    """Move the overrides that stand behind ``--targets`` to the others."""
    begin = next((n for n, name in enumerate(args.targets) if KEY.fullmatch(name)), len(args.targets))
    args.opts, args.targets = [*args.targets[begin:], *overrides(args)], args.targets[:begin]


def _models(args: argparse.Namespace) -> list[TrainedModel]:
    from reidzoo.runs.find_model import find_model

    weights = list(args.weights)
    if not weights and "MODEL.WEIGHTS" in args.opts[::2]:
        weights = [args.opts[args.opts.index("MODEL.WEIGHTS") + 1]]
    if len(weights) > len(args.config_file) > 0 or not (weights or args.config_file):
        raise UserError("give --config-file, --weights, or as many of one as of the other")
    if len(args.config_file) > len(weights) > 0:
        raise UserError(f"there are {len(args.config_file)} configurations, but {len(weights)} weights")
    pairs = zip_longest(args.config_file, weights, fillvalue="")
    models = [find_model(config, path, args.stage, args.opts, args.overlay, trust=args.trust) for config, path in pairs]
    names = [model.name for model in models]
    if len(set(names)) == len(names):
        return models
    return [replace(model, name=f"{model.name} ({number})") for number, model in enumerate(models, 1)]


def _default_targets(models: Sequence[TrainedModel], args: argparse.Namespace) -> list[str | Mapping]:
    """Return the datasets that the models were trained on, where they have a test set, and those of DATASETS.TESTS."""
    from reidzoo.config.references import fill_seed
    from reidzoo.datasets import build_dataset

    own, others = [], []
    for model in models:
        cfg = fill_seed(model.read_config(args.opts, args.overlay)).DATASETS
        own += [node for node in model.sources if build_dataset(node, root=cfg.ROOT).query]
        others += cfg.TESTS
    # One dataset as a name and as a mapping without arguments is one target.
    nodes = [{"type": node} if isinstance(node, str) else node for node in (*own, *others)]
    return [node for n, node in enumerate(nodes) if node not in nodes[:n]]
