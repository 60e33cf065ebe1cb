"""Builds a dataset from its name or its entry in a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from reidzoo.datasets.base import Dataset
from reidzoo.registry import DATASET

__all__ = ["build_dataset"]


def build_dataset(node: str | Mapping[str, Any] | Dataset, root: str | os.PathLike[str] = "datasets") -> Dataset:
    """Build the dataset that ``node`` names.

    Args:
        node: a registered name (``"Market1501"``), or a mapping ``{type: CUHK03NP, split: labeled}`` whose other keys
            are constructor arguments; its own ``root`` wins over the argument. A dataset is returned as it is.
        root: the folder that holds the datasets (``DATASETS.ROOT``).

    Raises:
        ConfigError: the name is not registered, or its class does not take these arguments.
        DatasetError: the dataset is not there, or incomplete.
    """
    if isinstance(node, Dataset):
        return node
    if isinstance(node, str):
        node = {"type": node}
    return DATASET.build({"root": root, **node} if isinstance(node, Mapping) else node)
