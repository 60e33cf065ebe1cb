"""Walks the datasets that a configuration names, before any of them is built.

A *node* is a dataset's name, or a mapping ``{type: NAME, ...}``. A wrapper's node has its dataset under ``dataset``. An
entry of DATASETS.TRAIN is one node or a list of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reidzoo.checks import NODE_OR_NAME, check
from reidzoo.errors import ConfigError, UserError
from reidzoo.registry import DATASET
from reidzoo.yaml_marks import parse_yaml, unmark

__all__ = [
    "Node", "as_mapping", "check_node", "innermost", "is_same_dataset", "layers", "listed", "parse_node", "read_node",
    "readable_now", "sources", "train_nodes", "validation_part",
]  # fmt: skip

Node = str | Mapping[str, Any]
"""A dataset as a configuration names it."""

LOCATING = ("root", "file", "folder")
"""Arguments that say where a dataset lies; nodes that differ only in others, such as a test size, are one dataset."""


def parse_node(text: str, where: str) -> Any:
    """Return what a text is as YAML.

    Args:
        text: such as ``Market1501`` or ``{type: VehicleID, test_size: 1600}``.
        where: what an error names.

    Raises:
        ConfigError: it is not YAML.
    """
    return unmark(parse_yaml(text, lambda _: where))


def read_node(text: str, option: str) -> Node:
    """Return the node that a word of the command line is, a name or a mapping {type: VehicleID, test_size: 1600}.

    Raises:
        UserError: it is neither.
    """
    try:
        node = parse_node(text, option)
    except ConfigError:
        node = None
    if isinstance(node, str) or (isinstance(node, dict) and "type" in node):
        return node
    raise UserError(f"{option} takes a dataset's name or '{{type: NAME, ...}}', not {text!r}")


def listed(entry: Any) -> list[Any]:
    """Return the nodes of an entry of DATASETS.TRAIN, which is one node or a list of them."""
    return list(entry) if isinstance(entry, list | tuple) else [entry]


def train_nodes(train: Mapping[str, Any]) -> Iterator[Node]:
    """Yield every node of DATASETS.TRAIN, wrappers as they stand."""
    for entry in train.values():
        yield from listed(entry)


def as_mapping(node: Node) -> Mapping[str, Any]:
    """Return the node as a mapping with ``type``."""
    return {"type": node} if isinstance(node, str) else node


def layers(node: Node) -> Iterator[Mapping[str, Any]]:
    """Yield a node and the nodes that it wraps, as mappings, the outermost first."""
    while True:
        node = as_mapping(node)
        yield node
        if "dataset" not in node:
            return
        node = node["dataset"]


def check_node(owner: object, **nodes: Any) -> None:
    """Check arguments that name datasets, wrappers and all: each is a name or a mapping with a type, and registered.

    Raises:
        ConfigError: one is not.
    """
    check(owner, NODE_OR_NAME, **nodes)
    for node in nodes.values():
        for layer in layers(node):
            check(owner, NODE_OR_NAME, dataset=layer)
            DATASET.get(layer["type"])


def innermost(node: Node) -> Node:
    """Return the node of the dataset within its wrappers."""
    while isinstance(node, Mapping) and "dataset" in node:
        node = node["dataset"]
    return node


def sources(train: Mapping[str, Any]) -> tuple[Node, ...]:
    """Return the datasets of DATASETS.TRAIN without their wrappers, each once."""
    unique: list[Node] = []
    for node in map(innermost, train_nodes(train)):
        if node not in unique:
            unique.append(node)
    return tuple(unique)


def is_same_dataset(first: Node, second: Node) -> bool:
    """Return whether two nodes name one dataset, even by another split or another of its test sets."""
    first, second = as_mapping(innermost(first)), as_mapping(innermost(second))
    return first["type"] == second["type"] and all(first.get(argument) == second.get(argument) for argument in LOCATING)


def validation_part(train: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the node of the only training set with ``part: val`` where a wrapper has ``part: train``, or None."""
    nodes = list(train_nodes(train))
    return _with_part(nodes[0]) if len(nodes) == 1 else None


def _with_part(node: Any) -> dict[str, Any] | None:
    if not isinstance(node, Mapping):
        return None
    if node.get("part") == "train":
        return {**node, "part": "val"}
    inner = _with_part(node.get("dataset"))
    return None if inner is None else {**node, "dataset": inner}


def readable_now(node: Node) -> Node:
    """Return the part of a node that can be read before training, within wrappers that need a stage's labels."""
    while isinstance(node, Mapping) and _awaits_labels(node):
        node = node["dataset"]
    return node


def _awaits_labels(node: Any) -> bool:
    return isinstance(node, Mapping) and "dataset" in node and ("labels" in node or _awaits_labels(node["dataset"]))
