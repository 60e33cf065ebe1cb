"""Describes backbones and training data in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from reidzoo.config.references import referenced_stages
from reidzoo.datasets.nodes import layers, train_nodes

__all__ = ["describe_backbone", "describe_data"]


def describe_backbone(cfg: CfgNode) -> str:
    """Return the backbones of a configuration in words: ``ResNet-18, width 16``."""
    further = [value for key, value in cfg.MODEL.items() if key.endswith("backbone") and isinstance(value, Mapping)]
    return " and ".join(dict.fromkeys(map(_describe, [cfg.BACKBONE, *further])))


def _describe(node: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in node.items() if key not in ("type", "depth", "last_stride", "pretrained")}
    words = [
        key if value is True else f"{key} {value}" for key, value in rest.items() if value not in (None, "", False)
    ]
    return ", ".join([f"{node['type']}-{node['depth']}" if "depth" in node else node["type"], *words])


def describe_data(stages: Mapping[str, CfgNode], name: str, twins: bool) -> str:
    """Return the training data of a stage in words, and the further data of the stages it started from."""
    trained_on = _sources(stages[name], twins)
    earlier: dict[str, None] = {}
    visited, queue = {name}, referenced_stages(stages[name])
    while queue:
        other = queue.pop(0)
        if other not in visited:
            visited.add(other)
            queue += referenced_stages(stages[other])
            earlier |= dict.fromkeys(_sources(stages[other], twins))
    before = [text for text in earlier if text not in trained_on]
    return " and ".join(trained_on) + (f", after {' and '.join(before)}" if before else "")


def _sources(cfg: CfgNode, twins: bool) -> list[str]:
    """Return the training sets of a stage in words."""
    texts: dict[str, None] = {}
    for node in train_nodes(cfg.DATASETS.TRAIN):
        types = [layer["type"] for layer in layers(node)]
        blind = "Unlabeled" in types or "PseudoLabeled" in types
        texts[f"{'unlabelled ' if blind else ''}{types[-1]}{' twin' if twins else ''}"] = None
    return list(texts)
