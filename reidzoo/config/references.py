"""Finds and replaces the references in a configuration: to files of other stages, to the run's seed, and to weights.

``stage:NAME/FILE`` is a file of an earlier stage, ``stage:NAME`` its final checkpoint; ``row:NAME/FILE`` is a file of
the stage whose results another row of a table shows, at the same seed. ``run:seed`` is the run's SEED, so that runs of
different seeds have different random splits of a dataset. Weights are named by ``zoo://NAME``, and by
whatever else MODEL.WEIGHTS, WEIGHTS and a backbone's ``pretrained`` say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

__all__ = ["fill_seed", "map_references", "map_texts", "referenced_rows", "referenced_stages", "texts", "weight_words"]

_SEED = "run:seed"
_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+-]*://")
"""The beginning of a name of weights that a registered SCHEME looks up, such as ``zoo://NAME``."""


def fill_seed(cfg: CfgNode) -> CfgNode:
    """Return a frozen copy of a stage's configuration with SEED in place of each ``run:seed``."""
    copy = _map_strings(cfg, lambda text: cfg.SEED if text == _SEED else text)
    copy.freeze()
    return copy


def map_references(value: Any, replace: Callable[[str, str], str], kind: str = "stage") -> Any:
    """Return a copy of a configuration, or a part of one, with each reference replaced; nodes come back frozen.

    Args:
        value: a node, a plain mapping, a list or a scalar.
        replace: takes the stage's name and the file's, ``""`` for the final checkpoint.
        kind: ``stage``, or ``row`` for references to rows.
    """
    copy = _map_strings(value, lambda text: replace(*_split(text)) if _is_reference(text, kind) else text)
    if isinstance(copy, CfgNode):
        copy.freeze()
    return copy


def referenced_stages(value: Any) -> list[str]:
    """Return the names of the stages that a configuration refers to, each once, in the order of their appearance."""
    return _names(value, "stage")


def referenced_rows(value: Any) -> list[str]:
    """Return the names of the rows of a table that a configuration refers to, likewise."""
    return _names(value, "row")


def map_texts(value: CfgNode, others: Mapping[str, str]) -> CfgNode:
    """Return a frozen copy of a configuration in which each text that is a key of ``others`` is replaced."""
    copy = _map_strings(value, lambda text: others.get(text, text))
    copy.freeze()
    return copy


def weight_words(cfg: CfgNode) -> list[str]:
    """Return the names of all weights that a stage's configuration mentions, each once.

    That is every ``SCHEME://NAME`` in it, what stands in MODEL.WEIGHTS and WEIGHTS, and each ``pretrained``.
    """
    schemes = [text for text in texts(cfg) if _SCHEME.match(text)]
    words = [*schemes, cfg.MODEL.WEIGHTS, *cfg.WEIGHTS.values(), *_at_key(cfg, "pretrained")]
    return [word for word in dict.fromkeys(words) if word]


def _map_strings(value: Any, replace: Callable[[str], Any]) -> Any:
    if isinstance(value, CfgNode):
        copy = CfgNode(new_allowed=True)
        for key, item in value.items():
            copy[key] = _map_strings(item, replace)  # as an item: the constructor would copy each level again
        return copy
    if isinstance(value, Mapping):
        return {key: _map_strings(item, replace) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map_strings(item, replace) for item in value)
    return replace(value) if isinstance(value, str) else value


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a configuration, or a part of one, in its order."""
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def _at_key(value: Any, key: str) -> Iterator[str]:
    """Yield the texts that stand at ``key``, at any depth."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == key and isinstance(item, str):
                yield item
            yield from _at_key(item, key)


def _names(value: Any, kind: str) -> list[str]:
    return list(dict.fromkeys(_split(text)[0] for text in texts(value) if _is_reference(text, kind)))


def _is_reference(text: str, kind: str) -> bool:
    return text.startswith(f"{kind}:")


def _split(reference: str) -> tuple[str, str]:
    name, _, file = reference.partition(":")[2].partition("/")
    return name, file
