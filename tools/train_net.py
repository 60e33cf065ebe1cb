"""Train what a configuration describes, stage by stage, and test it on the unseen targets."""

from __future__ import annotations

import argparse

from reidzoo import distributed
from reidzoo.config import load_config
from reidzoo.runs.cli import run_tool
from reidzoo.runs.pipeline import Pipeline, results_table


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python tools/train_net.py --config-file projects/DomainMix/mini.yml SOLVER.MAX_EPOCHS 2",
    )
    parser.add_argument("--config-file", required=True, metavar="FILE", help="a YAML file, such as projects/*/*.yml")
    parser.add_argument("--resume", action="store_true", help="continue the run that the output folder holds")
    parser.add_argument("--eval-only", action="store_true", help="only test MODEL.WEIGHTS on DATASETS.TESTS")
    parser.add_argument("--stage", default="", help="with --eval-only: whose model (default: the last's)")
    parser.add_argument("--output-dir", metavar="DIR", help="the run's folder; short for OUTPUT_DIR DIR")
    parser.add_argument("--seed", type=int, help="short for SEED N")
    parser.add_argument("--overlay", action="append", default=[], metavar="FILE", help="a YAML merged over the file")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides, for every stage")
    return parser.parse_intermixed_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    opts = list(args.opts)
    if args.output_dir is not None:
        opts += ["OUTPUT_DIR", args.output_dir]
    if args.seed is not None:
        opts += ["SEED", str(args.seed)]
    pipeline = Pipeline(load_config(args.config_file, opts=opts, overlays=args.overlay))
    if args.eval_only:
        results = pipeline.evaluate(pipeline.cfg.MODEL.WEIGHTS, args.stage)
    else:
        results = pipeline.train(go_on=args.resume)
    if distributed.is_main():
        if any(results.values()):
            print("\n" + results_table(results, "weights" if args.eval_only else "stage"))
        if not args.eval_only:
            print(f"\nThe run's files are in {pipeline.folder.path}/: config.yml, log.txt, and a folder per stage.")
    distributed.shutdown()


if __name__ == "__main__":
    run_tool(main)
