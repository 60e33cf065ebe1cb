"""The command line: one module a command, and what finds and runs them.

A command is a module with ``EXAMPLE``, ``add_arguments(parser)`` and ``run(args)``; the first sentence of its docstring
is what its help says. Heavy imports stand in ``run``, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from reidzoo.runs.cli import run_tool
from reidzoo.suggest import did_you_mean
from reidzoo.version import __version__

__all__ = ["COMMANDS", "call", "main", "run_command"]

COMMANDS = {
    "train": "train what a configuration describes, and test it",
    "check": "try out what a configuration describes, or look through images and labels, without training",
    "test": "test trained models on many datasets",
    "report": "write a page about a run: what its model gets right and wrong, in pictures",
    "calibrate": "measure from which similarity on two images show one identity, and how probably",
    "compare": "say whether two images show one identity",
    "search": "rank a folder's images by how much they look like one, in a picture",
    "table": "run the rows of a paper's table, and print ours next to the paper's",
    "extract": "embed the images of a folder, a CSV or a dataset",
    "cluster": "group embedded images whose people nobody has named",
    "probe": "measure how much of the camera, or of the dataset, features still tell",
    "gallery": "build, extend and search a gallery of embedded images",
    "serve": "search a gallery from a browser, and by a JSON API",
    "draw": "draw one picture: of a dataset, of a training, or of what a model finds",
    "crops": "cut the people of annotated video into crops",
    "split": "divide folders of people into train, validation, query and gallery",
    "render": "draw small twins of the datasets, to run everything on",
    "show-config": "print a configuration with everything resolved",
    "registry": "print every registered part",
    "models": "list the models of the zoo",
    "export": "keep a model as a model file, or as a graph for other runtimes and for trackers",
    "convert": "convert another toolkit's checkpoint into a model file",
    "push": "copy a model file with its card into a folder or a Hugging Face repository",
    "new-project": "write the files of a new paper's project",
}
"""Command -> what it does."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``reidzoo COMMAND ...`` and exit.

    Args:
        argv: the words behind ``reidzoo``; by default the command line's.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words else "--help"
    if name in COMMANDS:
        run_command(name, words[1:])
    elif name in ("-h", "--help", "help"):
        run_tool(lambda: print(_overview()))
    elif name == "--version":
        print(f"reidzoo {__version__}")
    else:
        hint = did_you_mean(name, COMMANDS)
        print(f"error: reidzoo has no command {name!r}.{hint} There are: {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)


def run_command(name: str, argv: Sequence[str] | None = None, prog: str = "") -> None:
    """Run one command and exit: with 0, with 2 on a ``UserError``, with 75 when paused, with 130 when interrupted.

    Args:
        name: the command.
        argv: the words behind it; by default the command line's.
        prog: how the help calls it.
    """
    module = _module(name)
    run_tool(lambda: module.run(_parser(name, module, prog).parse_intermixed_args(argv)))


def call(name: str, *words: object) -> None:
    """Run one command in this process, as a program that is written in Python would.

    Raises:
        UserError: what a command line prints before it exits with 2.
    """
    module = _module(name)
    module.run(_parser(name, module, "").parse_intermixed_args(list(map(str, words))))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"reidzoo.commands.{name.replace('-', '_')}")


def _parser(name: str, module: ModuleType, prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog or f"reidzoo {name}",
        description=(module.__doc__ or "").partition("\n")[0],
        epilog=f"example: {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: reidzoo COMMAND ...",
            "",
            "Person and vehicle re-identification from registered parts.",
            "",
            *lines,
            "",
            "reidzoo COMMAND --help explains one. Try: reidzoo render --data-root datasets-mini",
        ]
    )
