"""Finds the key that was probably meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yacs.config import CfgNode

from reidzoo.suggest import closest

__all__ = ["lookup", "nearest_key"]


def lookup(config: CfgNode, path: str) -> Any:
    """Return what stands at a dotted path, or None."""
    node = config
    for key in path.split(".") if path else []:
        node = node.get(key) if isinstance(node, CfgNode) else None
    return node


def nearest_key(full: str, declared: CfgNode) -> str | None:
    """Return the declared key probably meant by ``full``: its name elsewhere, a sibling, or a name much like it."""
    section, _, last = full.upper().rpartition(".")
    paths = list(_paths(declared))
    same = [path for path in paths if _last(path) == last]
    if same:
        return min(same, key=lambda path: path.rpartition(".")[0] != section)
    siblings = {_last(path): path for path in paths if path.rpartition(".")[0] == section}
    near = closest(last, list(siblings), 0.6)
    near = near or next((name for name in siblings if len(last) >= 3 and name.startswith(last[:3])), None)
    if near:
        return siblings[near]
    others = {_last(path): path for path in reversed(paths)}
    near = closest(last, list(others), 0.75)
    return others[near] if near else None


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _paths(declared: CfgNode, path: str = "") -> Iterator[str]:
    for key, value in declared.items():
        if key.isupper():
            full = f"{path}.{key}" if path else key
            yield full
            if isinstance(value, CfgNode):
                yield from _paths(value, full)
