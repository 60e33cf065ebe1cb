"""Sums of rows by class that come out the same in every run, also on a GPU."""

from __future__ import annotations

from torch import Tensor

__all__ = ["add_rows"]


def add_rows(sums: Tensor, index: Tensor, rows: Tensor) -> None:
    """Add ``rows`` (n, D) to ``sums[index]``, index (n,), in an order that does not vary between runs."""
    # Each device has one operation of the two that is deterministic.
    if sums.device.type == "cpu":
        sums.index_add_(0, index, rows)
    else:
        sums.index_put_((index,), rows, accumulate=True)
