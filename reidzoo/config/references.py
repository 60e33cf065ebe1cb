"""References from one stage to another's files: ``stage:NAME/FILE``, and ``stage:NAME`` for its final checkpoint.

One to the run: ``run:seed`` is its SEED, so that runs of different seeds have different random splits of a dataset.
And one to trained models: ``zoo://NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

__all__ = ["ZOO", "fill_seed", "map_models", "map_references", "referenced_models", "referenced_stages"]

_PREFIX = "stage:"
_SEED = "run:seed"
ZOO = "zoo://"
"""How the name of a trained model begins, where weights are named."""


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
    return list(dict.fromkeys(_split(text)[0] for text in _texts(value) if _is_reference(text)))


def map_models(value: CfgNode, replace: Callable[[str], str]) -> CfgNode:
    """Return a frozen copy of a configuration with each ``zoo://NAME`` replaced; ``replace`` takes it whole."""
    copy = _map(value, lambda text: replace(text) if text.startswith(ZOO) else text)
    copy.freeze()
    return copy


def referenced_models(value: Any) -> list[str]:
    """Return the ``zoo://NAME`` that a configuration names, each once, in the order of their appearance."""
    return list(dict.fromkeys(text for text in _texts(value) if text.startswith(ZOO)))


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


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _is_reference(text: str) -> bool:
    return text.startswith(_PREFIX)


def _split(reference: str) -> tuple[str, str]:
    name, _, file = reference.removeprefix(_PREFIX).partition("/")
    return name, file
