"""Print every registry with what is registered in it: name, first docstring line, file.

python tools/list_registry.py [--config-file FILE] [REGISTRY ...]
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

import reidzoo.registry
from reidzoo.config import load_config
from reidzoo.errors import UserError
from reidzoo.files import show_path
from reidzoo.runs.cli import run_tool


def main() -> None:
    """Print the registries.

    Raises:
        UserError: there is no registry of a name that was asked for, or the configuration is wrong.
    """
    registries = {name: part for name, part in vars(reidzoo.registry).items() if name in reidzoo.registry.__all__}
    registries = {name: part for name, part in registries.items() if isinstance(part, reidzoo.registry.Registry)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config-file", metavar="FILE", help="load this file's plug-ins first")
    parser.add_argument("registries", nargs="*", metavar="REGISTRY", help="print these only, such as LOSS")
    args = parser.parse_args()
    unknown = [name for name in args.registries if name.upper() not in registries]
    if unknown:
        raise UserError(f"no registry {unknown[0]}; registries: {', '.join(registries)}")
    if args.config_file:
        load_config(args.config_file)
    for name in [name.upper() for name in args.registries] or registries:
        registries[name].import_from_location()
        print(f"{name}\n" + "".join(f"  {line}\n" for line in describe(registries[name])))


def describe(registry: reidzoo.registry.Registry) -> list[str]:
    """Return one line per registered thing: its name, its first docstring line, and its file."""
    lines = []
    width = max((len(name) for name in registry.module_dict), default=0)
    for name, part in sorted(registry.module_dict.items()):
        lines.append(f"{name:<{width}}  {first_line(part)}  [{source_file(part)}]")
    return lines or ["nothing is registered"]


def first_line(part: Any) -> str:
    """Return the first line of the docstring of ``part`` itself, not of a base class."""
    text = (vars(part) if inspect.isclass(part) else {"__doc__": part.__doc__}).get("__doc__") or ""
    return text.strip().partition("\n")[0] or "(no docstring)"


def source_file(part: Any) -> str:
    """Return the file that defines ``part``."""
    try:
        return show_path(Path(inspect.getsourcefile(part)))
    except TypeError:
        return "unknown file"


if __name__ == "__main__":
    run_tool(main)
