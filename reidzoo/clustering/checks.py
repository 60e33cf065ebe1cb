"""Checks of settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidzoo.clustering.errors import ClusteringError


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Raise ClusteringError unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ClusteringError(f"{name}: expected a whole number of at least {least}, got {value!r}")
