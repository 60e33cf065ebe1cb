"""Reads configuration files with their ``_BASE_`` files, and command-line overrides, as marked trees."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reidzoo.checks import Rule
from reidzoo.config.defaults import MIXED, get_cfg
from reidzoo.config.keys import lookup
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.suggest import closest
from reidzoo.version import ROOT
from reidzoo.yaml_check import check_mapping, is_list_of_names
from reidzoo.yaml_marks import Marked, ends_in_comment, parse_yaml, unmark, with_place

__all__ = ["BASE", "Source", "in_package", "parse_overrides", "read_chain", "read_indexes", "read_text"]

BASE = "_BASE_"

_NOT_TEXT = ("null", "~")
"""What is no string even of a key that takes one: it deletes an entry of WEIGHTS, and is a mistake elsewhere."""
_ZOO = {"INDEXES": Rule("a list of YAML files or https:// addresses", is_list_of_names)}


class Source:
    """A parsed configuration file or override.

    Attributes:
        tree: its keys and values.
        folder: where its relative paths start from.
        depth: how many keys an override names (``SOLVER.MAX_EPOCHS``: 2); 0 for a file.
    """

    def __init__(self, tree: Marked, folder: Path, depth: int = 0) -> None:
        self.tree, self.folder, self.depth = tree, folder, depth

    def get(self, key: str) -> Marked | None:
        """Return the top-level entry ``key``."""
        return self.tree.value.get(key)

    def without(self, *keys: str) -> Marked:
        """Return the tree without the given top-level entries."""
        return Marked({key: child for key, child in self.tree.value.items() if key not in keys}, self.tree.where)


def read_chain(path: Path) -> list[Source]:
    """Read a file after the files that its ``_BASE_`` names, each file once.

    Raises:
        ConfigError: a missing or unreadable file, a ``_BASE_`` cycle, or what ``parse_yaml`` raises.
    """
    chain: dict[Path, Source] = {}
    _read(in_package(path), None, (), chain)
    return list(chain.values())


def in_package(path: Path) -> Path:
    """Return the path or, where it is missing, the package's own file: ``projects/ECN/mini.yml`` works anywhere."""
    own = ROOT / path
    return own if not path.is_absolute() and not path.exists() and own.is_file() else path


def parse_overrides(opts: Sequence[Any], declared: CfgNode | None = None) -> list[Source]:
    """Parse ``[KEY, VALUE, KEY, VALUE, ...]``. Overrides that set a ``type`` come first.

    Values are YAML, but that of a key which is declared as a string, or that names weights, is the text as it stands:
    ``OUTPUT_DIR "run #3"`` and ``OUTPUT_DIR 42`` are folders. Quotes around the whole are taken off.

    Args:
        opts: keys and values.
        declared: the declared keys; by default the framework's.

    Raises:
        ConfigError: an odd number of items, a malformed key, or a value that is not YAML.
    """
    declared = get_cfg() if declared is None else declared
    opts = list(opts)
    if len(opts) % 2:
        raise ConfigError(f"override {opts[-1]}: no value; overrides are pairs, KEY VALUE KEY VALUE")
    pairs = [_parse_override(key, value, declared) for key, value in zip(opts[::2], opts[1::2])]
    # `HEAD.dim 64 HEAD.type Linear` says the same as the other way round, though a new type empties the node.
    pairs.sort(key=lambda pair: not pair[0].endswith(".type"))
    return [source for _, source in pairs]


def read_indexes(sources: Iterable[Source]) -> list[str]:
    """Return what the sources name under ``ZOO.INDEXES``, as absolute paths or addresses, each once.

    As with PLUGINS, what several files name adds up, and a path is relative to the file that names it.

    Raises:
        ConfigError: another key in ``ZOO``, or no list of paths and addresses.
    """
    locations: dict[str, None] = {}
    for source in sources:
        node = source.get("ZOO")
        if node is not None and "INDEXES" in check_mapping(node, _ZOO, "ZOO"):
            listed = unmark(node.value["INDEXES"])
            locations.update(dict.fromkeys(_absolute(location, source.folder) for location in listed))
    return list(locations)


def _absolute(location: str, folder: Path) -> str:
    return location if re.match(r"https?://", location) else os.path.abspath(folder / Path(location).expanduser())


def _read(path: Path, named_at: str | None, above: tuple[Path, ...], chain: dict[Path, Source]) -> None:
    key = path.resolve()
    if key in above:
        circle = " -> ".join(show_path(file) for file in (*above[above.index(key) :], key))
        raise ConfigError(f"{named_at}: _BASE_ goes in a circle: {circle}")
    if key in chain:
        return
    shown = show_path(path)
    tree = parse_yaml(read_text(path, named_at), lambda line: f"{shown}:{line}")
    if tree.value is None:
        tree = Marked({}, tree.where)
    if not isinstance(tree.value, dict):
        raise ConfigError(f"{tree.where}: a configuration is a mapping of keys to values")
    base = tree.value.get(BASE)
    for name in _base_names(base) if base else []:
        _read(_base_file(path.parent, name.value), name.where, (*above, key), chain)
    chain[key] = Source(tree, path.parent)


def _base_file(folder: Path, name: str) -> Path:
    """Return the file that ``_BASE_`` names: relative to its own folder or, where it is missing, the package's.

    The package's folders lie, as it were, in the current one: ``../configs/x.yml`` in ``mine/`` is ``configs/x.yml``.
    """
    path, below = folder / name, os.path.relpath(folder / name)
    inside = [ROOT / name, *([ROOT / below] if not below.startswith(os.pardir) else [])]
    return path if path.exists() else next((own for own in inside if own.is_file()), path)


def _base_names(base: Marked) -> list[Marked]:
    names = base.value if isinstance(base.value, list) else [base]
    if not all(isinstance(name.value, str) and name.value for name in names):
        raise ConfigError(f"{base.where}: _BASE_: expected a file name or a list of them, relative to this file")
    return names


def read_text(path: Path, named_at: str | None = None) -> str:
    """Return the text of a YAML file; ``named_at`` is where ``_BASE_`` names it.

    Raises:
        ConfigError: it is not there, or cannot be read.
    """
    prefix = f"{named_at}: _BASE_: " if named_at else ""
    if not path.is_file():
        names = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        match = closest(path.name, names, 0.6)
        hint = f"; did you mean {show_path(path.parent / match)}?" if match else ""
        reason = "is a folder, not a file" if path.is_dir() else "no such file"
        raise ConfigError(f"{prefix}{show_path(path)}: {reason}{hint}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{prefix}{show_path(path)}: cannot be read: {error}") from None


def _parse_override(key: Any, value: Any, declared: CfgNode) -> tuple[str, Source]:
    where = f"override {key}"
    parts = key.split(".") if isinstance(key, str) else [""]
    if not all(parts) or any(part.startswith("-") or "=" in part for part in parts):
        raise ConfigError(f"{where}: not a key; overrides are pairs, KEY VALUE, such as SOLVER.MAX_EPOCHS 2")
    if parts[0] == BASE:
        raise ConfigError(f"{where}: _BASE_ stands in files only")
    # An empty word on the command line is an empty string; YAML would read null.
    if not isinstance(value, str) or not value:
        tree = with_place(value, where)
    elif _is_text(parts, declared) and value.strip() not in _NOT_TEXT and not _is_quoted(value):
        tree = Marked(value.strip(), where)
    else:
        tree = _parse_value(value, where)
    for part in reversed(parts):
        tree = Marked({part: tree}, where)
    return key, Source(tree, Path.cwd(), len(parts))


def _is_text(parts: Sequence[str], declared: CfgNode) -> bool:
    """Whether a key takes nothing but a string: it is declared so, or it names the weights of a part."""
    key = ".".join(parts[2:] if parts[0] == "STAGES" else parts)
    if key in MIXED:
        return False
    return key.startswith("WEIGHTS.") or (key.isupper() and isinstance(lookup(declared, key), str))


def _is_quoted(text: str) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _parse_value(text: str, where: str) -> Marked:
    """Return an override's value; a shell has taken its own comments off, so that none is left to drop."""
    tree = parse_yaml(text, lambda _: where)
    if not ends_in_comment(text):
        return tree
    if isinstance(tree.value, dict | list) or text.lstrip()[0] in "'\"":
        raise ConfigError(f"{where}: what follows # would be left out as a comment; put what it belongs to in quotes")
    return Marked(text.strip(), where)
