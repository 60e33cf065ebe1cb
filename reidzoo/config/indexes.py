"""Reads ``ZOO.INDEXES``: the indexes of trained models that a configuration names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from reidzoo.config.sources import Source
from reidzoo.errors import ConfigError
from reidzoo.yaml_marks import Marked

__all__ = ["read_indexes"]


def read_indexes(sources: Iterable[Source]) -> list[str]:
    """Return what the sources name under ``ZOO.INDEXES``, as absolute paths or addresses, each once.

    As with PLUGINS, what several files name adds up, and a path is relative to the file that names it.

    Raises:
        ConfigError: another key in ``ZOO``, or no list of paths and addresses.
    """
    found: dict[str, None] = {}
    for source in sources:
        node = source.get("ZOO")
        if node is None:
            continue
        if not isinstance(node.value, dict):
            raise ConfigError(f"{node.where}: ZOO: expected a mapping with INDEXES")
        for key, child in node.value.items():
            if key != "INDEXES":
                raise ConfigError(f"{child.where}: unknown key ZOO.{key}; did you mean ZOO.INDEXES?")
            found.update(dict.fromkeys(_places(child, source.folder)))
    return list(found)


def _places(listed: Marked, folder: Path) -> list[str]:
    items = [item.value for item in listed.value] if isinstance(listed.value, list) else [None]
    if not all(isinstance(item, str) and item for item in items):
        raise ConfigError(f"{listed.where}: ZOO.INDEXES: expected a list of YAML files or https:// addresses")
    return [_absolute(item, folder) for item in items]


def _absolute(place: str, folder: Path) -> str:
    return place if re.match(r"https?://", place) else os.path.abspath(folder / Path(place).expanduser())
