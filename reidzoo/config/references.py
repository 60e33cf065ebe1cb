"""References from one stage to another's files: ``stage:NAME/FILE``, and ``stage:NAME`` for its final checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

__all__ = ["map_references", "referenced_stages"]

_PREFIX = "stage:"


def map_references(value: Any, replace: Callable[[str, str], str]) -> Any:
    """Return a copy of a configuration, or a part of one, with each reference replaced; nodes come back frozen.

    Args:
        value: a node, a plain mapping, a list or a scalar.
        replace: takes the stage's name and the file's, ``""`` for the final checkpoint.
    """
    copy = _map(value, replace)
    if isinstance(copy, CfgNode):
        copy.freeze()
    return copy


def referenced_stages(value: Any) -> list[str]:
    """Return the names of the stages that a configuration refers to, each once, in the order of their appearance."""
    return list(dict.fromkeys(_split(text)[0] for text in _references(value)))


def _map(value: Any, replace: Callable[[str, str], str]) -> Any:
    if isinstance(value, CfgNode):
        copy = CfgNode(new_allowed=True)
        for key, item in value.items():
            copy[key] = _map(item, replace)  # as an item: the constructor would copy each level anew
        return copy
    if isinstance(value, Mapping):
        return {key: _map(item, replace) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map(item, replace) for item in value)
    return replace(*_split(value)) if _is_reference(value) else value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _references(item)
    elif _is_reference(value):
        yield value


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_PREFIX)


def _split(reference: str) -> tuple[str, str]:
    name, _, file = reference.removeprefix(_PREFIX).partition("/")
    return name, file
