"""Finds the part of the training data that a hook measures on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reidzoo.datasets.nodes import validation_part
from reidzoo.errors import ConfigError

__all__ = ["held_out_part"]


def held_out_part(hook: object, train: Mapping[str, Any], wrapper: str = "HoldOutIdentities") -> Mapping[str, Any]:
    """Return the node of the only training set with ``part: val``, see ``validation_part``.

    Args:
        hook: who measures, for the message.
        train: DATASETS.TRAIN.
        wrapper: the DATASET that the message names as an example.

    Raises:
        ConfigError: there are several training sets, or no wrapper in it has ``part: train``.
    """
    node = validation_part(train)
    if node is None:
        raise ConfigError(
            f"HOOKS: {type(hook).__name__} finds no validation part: train on one dataset with part: train, such as "
            f"{{type: {wrapper}, dataset: D, part: train}}, or name the dataset in the hook"
        )
    return node
