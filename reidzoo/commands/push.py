"""Copy a model file with its card, sidecar and exported graphs into a folder or a Hugging Face repository."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo push models/mine.safetensors hf://OWNER/NAME --private"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", type=Path, metavar="FILE", help="a model file, *.safetensors, with its card beside it")
    parser.add_argument("target", metavar="TARGET", help="a folder, or hf://OWNER/NAME (pip install 'reidzoo[hub]')")
    parser.add_argument("--private", action="store_true", help="a new repository is private")


def run(args: argparse.Namespace) -> None:
    """Copy the files and print where they are."""
    from reidzoo.publishing.push import SCHEME, files_of, open_hub, push_to_folder, push_to_hub

    files = files_of(args.model)
    if args.target.startswith(SCHEME):
        repository = args.target.removeprefix(SCHEME)
        names = push_to_hub(files, repository, open_hub(), args.private)
        print(f"{repository}: {', '.join(names)}")
    else:
        print("\n".join(map(str, push_to_folder(files, Path(args.target)))))
