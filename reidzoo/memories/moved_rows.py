"""Moves rows of a memory towards the features of a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from reidzoo.to_device import to_device

__all__ = ["checked_rows", "move_rows"]


def checked_rows(memory: Tensor, index: Tensor) -> np.ndarray:
    """Return the numbers ``index`` (B,) of rows of ``memory``, as numpy has them.

    Raises:
        IndexError: a row is outside 0..len(memory)-1.
    """
    rows = index.cpu().numpy()
    if len(rows) and (rows.min() < 0 or rows.max() >= len(memory)):
        raise IndexError(f"memory rows are 0..{len(memory) - 1}, got {rows.min()}..{rows.max()}")
    return rows


def move_rows(memory: Tensor, rows: np.ndarray, feat: Tensor, momentum: float) -> None:
    """Move the rows ``rows`` (B,) towards ``feat`` (B, D): v <- m v + (1 - m) f, normalised.

    A row that occurs several times is moved as often, in the order of the batch.
    """
    feat = feat.detach().to(memory)
    for positions in _occurrences(rows):
        moved, new = to_device(rows[positions], feat.device), feat[to_device(positions, feat.device)]
        memory[moved] = F.normalize(momentum * memory[moved] + (1 - momentum) * new, dim=1)


def _occurrences(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the positions of each row's first occurrence, then of each second one, and so on."""
    order = np.argsort(rows, kind="stable")
    _, first, counts = np.unique(rows[order], return_index=True, return_counts=True)
    for occurrence in range(counts.max(initial=0)):
        yield np.sort(order[first[counts > occurrence] + occurrence])
