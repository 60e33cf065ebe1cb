"""Arguments that several commands share, under the same names."""

from __future__ import annotations

import argparse
from typing import Any

from reidzoo.errors import UserError

__all__ = [
    "Override",
    "add_config_arguments",
    "add_model",
    "add_overrides",
    "add_prior",
    "add_trust",
    "named_model",
    "overrides",
]


class Override(argparse.Action):
    """An option that is short for an override of the key ``const``."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        """Add the pair to the others."""
        namespace.short = [*getattr(namespace, "short", []), self.const, str(values)]


def add_config_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add what says which configuration is meant: the file, overlays, and short forms of common overrides."""
    parser.add_argument(
        "--config-file", required=required, metavar="FILE", help="a YAML file, such as projects/*/*.yml"
    )
    parser.add_argument("--overlay", action="append", default=[], metavar="FILE", help="a YAML merged over the file")
    parser.add_argument(
        "--weights", action=Override, const="MODEL.WEIGHTS", metavar="MODEL",
        help="what to start from or to test: a model of the zoo, a run's folder, a model file or a checkpoint; short "
        "for MODEL.WEIGHTS MODEL",
    )  # fmt: skip
    parser.add_argument(
        "--output-dir",
        action=Override,
        const="OUTPUT_DIR",
        metavar="DIR",
        help="the run's folder; short for OUTPUT_DIR",
    )
    parser.add_argument("--seed", action=Override, const="SEED", type=int, metavar="N", help="short for SEED N")
    parser.add_argument("--stage", default="", help="one stage, where only one is shown or tested (default: the last)")
    add_overrides(parser, "overrides, for every stage")


def add_overrides(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--data-root`` and the pairs ``KEY VALUE``."""
    parser.add_argument(
        "--data-root", action=Override, const="DATASETS.ROOT", metavar="DIR",
        help="the folder of datasets; short for DATASETS.ROOT DIR",
    )  # fmt: skip
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help=text)


def add_model(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the model, by its place or as ``--weights``; ``named_model`` returns it."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help=text)
    parser.add_argument("--weights", metavar="MODEL", help="the same, by the name that other commands use")


def named_model(args: argparse.Namespace) -> str:
    """Return the model that is named.

    Raises:
        UserError: none is, or two are.
    """
    if args.model and args.weights:
        raise UserError(f"MODEL {args.model} and --weights {args.weights}: name one of them")
    if not (args.model or args.weights):
        raise UserError("name a model: of the zoo, a run's folder, a model file or a checkpoint (--weights MODEL)")
    return args.model or args.weights


def add_prior(parser: argparse.ArgumentParser) -> None:
    """Add ``--prior``, which ``Decision.of`` takes."""
    parser.add_argument(
        "--prior", type=float, metavar="SHARE",
        help="the share of pairs of one identity among those that you ask about, such as 0.01 for one in a hundred: "
        "what a probability is for (default: the calibration's, a half unless it was told otherwise)",
    )  # fmt: skip


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust``."""
    parser.add_argument(
        "--trust", action="store_true",
        help="import the plug-ins and dotted types that the model file or the run's config.yml names, which runs their "
        "code; those of this package's projects need no trust",
    )  # fmt: skip


def overrides(args: argparse.Namespace) -> list[str]:
    """Return the pairs ``KEY VALUE`` of the command line, then those that options are short for.

    Raises:
        UserError: the last key has no value.
    """
    if len(args.opts) % 2:  # said here, where no option's pair stands behind it
        raise UserError(f"override {args.opts[-1]}: no value; overrides are pairs, KEY VALUE KEY VALUE")
    return [*args.opts, *getattr(args, "short", [])]
