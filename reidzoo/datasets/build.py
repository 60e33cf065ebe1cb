"""Builds a dataset from its name or its entry in a configuration."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from reidzoo.datasets.base import Dataset
from reidzoo.errors import ConfigError
from reidzoo.registry import DATASET

__all__ = ["build_dataset"]

NEEDED = ("name", "folder", "protocol", "is_twin", "records", "train", "query", "gallery")
"""What the framework asks of every dataset."""


def build_dataset(node: str | Mapping[str, Any] | Dataset, root: str | os.PathLike[str] = "datasets") -> Dataset:
    """Build the dataset that ``node`` names.

    Args:
        node: a registered name (``"Market1501"``), or a mapping ``{type: CUHK03NP, split: labeled}`` whose other keys
            are constructor arguments; its own ``root`` wins over the argument. A dataset is returned as it is.
        root: the folder that holds the datasets (``DATASETS.ROOT``).

    Raises:
        ConfigError: the name is not registered, its class does not take these arguments, or it is no dataset.
        DatasetError: the dataset is not there, or incomplete.
    """
    if isinstance(node, Dataset):
        return node
    if isinstance(node, str):
        node = {"type": node}
    dataset = DATASET.build({"root": root, **node} if isinstance(node, Mapping) else node)
    _check(dataset)
    return dataset


def _check(dataset: Any) -> None:
    """Raise ConfigError for what lacks an attribute of a DATASET; nothing is read from disk."""
    lacking = [name for name in NEEDED if inspect.getattr_static(dataset, name, None) is None]
    if lacking and not hasattr(type(dataset), "__getattr__"):
        raise ConfigError(
            f"DATASET: {type(dataset).__name__} has no {', '.join(lacking)}; a DATASET has {', '.join(NEEDED)}, as a "
            f"subclass of reidzoo.datasets.Dataset that defines scan(split) does"
        )
