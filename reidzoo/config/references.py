"""References from one stage to another's files: ``stage:NAME/FILE``, and ``stage:NAME`` for its final checkpoint.

And one to the run: ``run:seed`` is its SEED, so that runs of different seeds have different random splits of a dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

__all__ = ["fill_seed", "map_references", "referenced_stages"]

_PREFIX = "stage:"
_SEED = "run:seed"


def fill_seed(cfg: CfgNode) -> CfgNode:
    """Return a frozen copy of a stage's configuration with SEED in place of each ``run:seed``."""
    copy = _map(cfg, lambda text: cfg.SEED if text == _SEED else text)
    copy.freeze()
    return copy


def map_references(value: Any, replace: Callable[[str, str], str]) -> Any:
    """Return a copy of a configuration, or a part of one, with each reference replaced; nodes come back frozen.

    Args:
        value: a node, a plain mapping, a list or a scalar.
        replace: takes the stage's name and the file's, ``""`` for the final checkpoint.
    """
    copy = _map(value, lambda text: replace(*_split(text)) if _is_reference(text) else text)
    if isinstance(copy, CfgNode):
        copy.freeze()
    return copy


def referenced_stages(value: Any) -> list[str]:
    """Return the names of the stages that a configuration refers to, each once, in the order of their appearance."""
    return list(dict.fromkeys(_split(text)[0] for text in _references(value)))


def _map(value: Any, replace: Callable[[str], Any]) -> Any:
    if isinstance(value, CfgNode):
        copy = CfgNode(new_allowed=True)
        for key, item in value.items():
            copy[key] = _map(item, replace)  # as an item: the constructor would copy each level anew
        return copy
    if isinstance(value, Mapping):
        return {key: _map(item, replace) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map(item, replace) for item in value)
    return replace(value) if isinstance(value, str) else value


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
