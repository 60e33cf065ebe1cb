"""Finds files that an installed package brings along, without importing it."""

from __future__ import annotations

import re
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["PACKAGE", "installed_file"]

PACKAGE = "package:"
"""The beginning of ``package:NAME/PATH``: the name of a package to install, and where the file lies in it."""
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def installed_file(address: str) -> Path | None:
    """Return the file that ``package:NAME/PATH`` means, None if its package is not installed or has no such file.

    ``PATH`` begins with the folder that is imported. It is looked up where Python would import it from, and nothing of
    it is run: a package that brings weights may want libraries that nobody needs who only reads them.

    Raises:
        ValueError: the address is not of this form; the text says what is.
    """
    name, *parts = address.removeprefix(PACKAGE).split("/")
    if not all(_PART.fullmatch(part) for part in (name, *parts)) or len(parts) < 2 or not parts[0].isidentifier():
        raise ValueError("an address of a package's file is package:NAME/FOLDER/FILE, such as package:pip/pip/py.typed")
    spec = PathFinder.find_spec(parts[0])
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *parts[1:])
        if path.is_file():
            return path
    return None
