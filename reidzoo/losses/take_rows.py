"""Rows of features by their indices, with a gradient that is the same in every run."""

from __future__ import annotations

from torch import Tensor

__all__ = ["take_rows"]


def take_rows(feat: Tensor, index: Tensor) -> Tensor:
    """Return ``feat[index]`` with a gradient that is summed in the same order in every run."""
    # Each device has one operation of the two whose backward pass is deterministic.
    return feat.index_select(0, index) if feat.device.type == "cpu" else feat[index]
