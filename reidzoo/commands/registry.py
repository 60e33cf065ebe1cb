"""Print every registry with what is registered in it: name, first docstring line, file."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidzoo.errors import UserError
from reidzoo.files import show_path

if TYPE_CHECKING:
    from reidzoo.registry import Registry

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = "reidzoo registry LOSS SAMPLER"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--config-file", metavar="FILE", help="load this file's plug-ins first")
    parser.add_argument("registries", nargs="*", metavar="REGISTRY", help="print these only, such as LOSS")


def run(args: argparse.Namespace) -> None:
    """Print the registries.

    Raises:
        UserError: there is no registry of a name that was asked for, or the configuration is wrong.
    """
    from reidzoo import registry
    from reidzoo.config import load_config

    parts = {name: getattr(registry, name) for name in registry.__all__}
    registries = {name: part for name, part in parts.items() if isinstance(part, registry.Registry)}
    unknown = [name for name in args.registries if name.upper() not in registries]
    if unknown:
        raise UserError(f"no registry {unknown[0]}; registries: {', '.join(registries)}")
    if args.config_file:
        load_config(args.config_file)
    for name in [name.upper() for name in args.registries] or registries:
        registries[name].import_from_location()
        print(f"{name}\n" + "".join(f"  {line}\n" for line in _describe(registries[name])))


def _describe(registry: Registry) -> list[str]:
    """Return one line per registered part: its name, its first docstring line, and its file."""
    width = max((len(name) for name in registry.module_dict), default=0)
    lines = [
        f"{name:<{width}}  {_first_line(part)}  [{_source_file(part)}]"
        for name, part in sorted(registry.module_dict.items())
    ]
    return lines or ["nothing is registered"]


def _first_line(part: Any) -> str:
    """Return the first line of the docstring of ``part`` itself, not of a base class."""
    text = (vars(part) if inspect.isclass(part) else {"__doc__": part.__doc__}).get("__doc__") or ""
    return text.strip().partition("\n")[0] or "(no docstring)"


def _source_file(part: Any) -> str:
    try:
        return show_path(Path(inspect.getsourcefile(part) or ""))
    except TypeError:
        return "unknown file"
