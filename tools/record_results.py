"""Write what a finished run gave into its project's results.yml, and the tables of the documents from there."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.publishing.documents import update_documents
from reidzoo.runs.cli import run_tool

REPOSITORY = Path(__file__).parent.parent


def read_run(folder: Path) -> dict:
    """Return the command, the environment and each stage's results of the run in ``folder``."""
    run = RunFolder(folder)
    environment, config = run.read_environment(), run.read_config(trust=True)
    missing = [name for name, stage in run.stages.items() if not stage.results.exists()]
    if missing:
        raise UserError(f"{folder}: the stages {', '.join(missing)} are not finished")
    return {**environment, "seed": config.SEED, "results": {name: s.read_results() for name, s in run.stages.items()}}


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the run's folder (OUTPUT_DIR)")
    parser.add_argument("--into", type=Path, required=True, metavar="FILE", help="for example projects/X/results.yml")
    parser.add_argument("--name", required=True, help="the entry's name, for example mini")
    args = parser.parse_args()
    entries = yaml.safe_load(args.into.read_text(encoding="utf-8")) if args.into.exists() else {}
    write_text(args.into, yaml.safe_dump({**entries, args.name: read_run(args.run)}, sort_keys=False))
    for document in update_documents(REPOSITORY):
        print(f"{document.relative_to(REPOSITORY)}: tables written")


if __name__ == "__main__":
    run_tool(main)
