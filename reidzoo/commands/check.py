"""Try out what a configuration describes, or look through images and labels, without training.

Of a folder, a CSV or a dataset's name, all images are read. What is unreadable, tiny, there twice or wrongly labelled
is listed, and ``--html`` writes it as a page with pictures. Of a configuration, every stage's data and parts are built,
every phase takes a step on made-up images, the test sets are read, and all images are opened. Nothing else is written.
What is wrong is listed, and the command exits with 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.commands.arguments import add_trust, overrides
from reidzoo.commands.train import add_run_arguments
from reidzoo.errors import UserError
from reidzoo.suggest import did_you_mean

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo check projects/DomainMix/mini.yml SOLVER.MAX_EPOCHS 2
         reidzoo check my_data/crops --html check.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``, of which the file may stand first by itself."""
    add_run_arguments(parser, required=False)
    add_trust(parser)
    parser.add_argument(
        "--deep", action="store_true", help="of a configuration: decode the pixels of all images, not only headers"
    )
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="of a folder, a CSV or a dataset: a page with pictures",
    )


def run(args: argparse.Namespace) -> None:
    """Print what was seen of the data, or of every stage.

    Raises:
        UserError: everything that is wrong.
    """
    from reidzoo import distributed
    from reidzoo.config import load_config
    from reidzoo.files import show_path
    from reidzoo.inspection.source import is_data
    from reidzoo.runs.pipeline import Pipeline

    source = _source(args)
    if is_data(source):
        _check_data(source, args)
        return
    if args.html:
        raise UserError(f"--html is for a folder, a CSV or a dataset, and {source} is a configuration")
    path = _config_file(source)
    pipeline = Pipeline(load_config(path, overrides(args), args.overlay, trust=args.trust or None))
    if args.eval_only:
        pipeline.check_evaluation(pipeline.cfg.MODEL.WEIGHTS, args.stage)
        print("the weights can be had, and the test sets read")
        return
    dry_run = pipeline.dry_run(args.deep, seconds=None)
    if distributed.is_main():
        print(dry_run.tables())
        if done := [name for name in pipeline.stages if name not in dry_run.stages]:
            place = show_path(pipeline.folder.path)
            print(f"note: done in {place}, and so not tried: {', '.join(done)}; another --output-dir tries them")
    dry_run.findings.raise_if_any()
    distributed.shutdown()


def _source(args: argparse.Namespace) -> str:
    """Return what is checked, taken from the front of the words where there is no ``--config-file``."""
    source = args.config_file
    if not source and len(args.opts) % 2:
        source, *args.opts = args.opts
    if not source:
        raise UserError("what is to be checked? Name a configuration, a folder, a CSV or a dataset: reidzoo check NAME")
    return str(source)


def _config_file(source: str) -> Path:
    path = Path(source)
    if path.suffix not in (".yml", ".yaml", ".safetensors"):
        from reidzoo.registry import DATASET

        hint = did_you_mean(source, DATASET.module_dict)
        raise UserError(
            f"{source} is not a configuration, such as projects/DomainMix/mini.yml, nor a folder, a CSV or a dataset."
            f"{hint}"
        )
    return path


def _check_data(source: str, args: argparse.Namespace) -> None:
    """Print what is found in data, and write the page.

    Raises:
        UserError: something was found of which a run would fail.
    """
    from reidzoo.files import write_text
    from reidzoo.inspection import Inspection, open_data
    from reidzoo.inspection.page import page

    keys = dict(zip(*[iter(overrides(args))] * 2))
    inspection = Inspection(open_data(source, keys.get("DATASETS.ROOT", "datasets")))
    print(inspection.text())
    if args.html:
        write_text(args.html, page(inspection))
        print(f"\n{args.html}: the same with pictures")
    if inspection.errors:
        raise UserError(f"{len(inspection.errors)} of these must be fixed before a run")
