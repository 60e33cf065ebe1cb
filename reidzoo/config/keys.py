"""Looks keys up by their dotted path, and finds the declared key that was probably meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yacs.config import CfgNode

from reidzoo.suggest import closest

__all__ = ["lookup", "nearest_key"]


def lookup(config: CfgNode, path: str) -> Any:
    """Return the value at a dotted path, or None."""
    node = config
    for key in path.split(".") if path else []:
        node = node.get(key) if isinstance(node, CfgNode) else None
    return node


def nearest_key(full: str, declared: CfgNode) -> str | None:
    """Return the declared key most like ``full``: the same name in another section, a sibling, or a similar name."""
    section, _, last = full.upper().rpartition(".")
    paths = list(_paths(declared))
    same = [path for path in paths if _last(path) == last]
    if same:
        return min(same, key=lambda path: path.rpartition(".")[0] != section)
    siblings = {_last(path): path for path in paths if path.rpartition(".")[0] == section}
    match = closest(last, list(siblings), 0.6)
    match = match or next((name for name in siblings if len(last) >= 3 and name.startswith(last[:3])), None)
    if match:
        return siblings[match]
    others = {_last(path): path for path in reversed(paths)}
    match = closest(last, list(others), 0.75)
    return others[match] if match else None


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _paths(declared: CfgNode, path: str = "") -> Iterator[str]:
    for key, value in declared.items():
        if key.isupper():
            full = f"{path}.{key}" if path else key
            yield full
            if isinstance(value, CfgNode):
                yield from _paths(value, full)
