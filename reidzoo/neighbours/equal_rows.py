"""Finds the rows of a table that are equal."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["equal_rows"]

PART = 256  # rows compared at a time


def equal_rows(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row comes first, and which of the distinct rows every row is.

    Rows are compared through 64-bit sums, of a few columns and then of all, and last number by number; two different
    rows of one sum stay apart.

    Returns:
        int64 (U,), the first index of each distinct row, ascending, and int64 (N,), for every row the position of its
        own first index in that array.
    """
    every_row = np.arange(len(table))
    few = torch.linspace(0, table.dim - 1, min(table.dim, 16)).long()
    first_equal = first_of_equal(hashed(table, every_row, few))
    if (first_equal != every_row).any():
        suspects = np.flatnonzero(np.isin(first_equal, first_equal[first_equal != every_row]))
        first_equal = every_row.copy()
        first_equal[suspects] = suspects[first_of_equal(hashed(table, suspects, torch.arange(table.dim)))]
    copies = np.flatnonzero(first_equal != every_row)
    for start in range(0, len(copies), PART):
        rows = copies[start : start + PART]
        same = (table.gather(rows) == table.gather(first_equal[rows])).all(dim=1).cpu().numpy()
        first_equal[rows[~same]] = rows[~same]
    first, group = np.unique(first_equal, return_inverse=True)
    return first, group.reshape(-1)


def hashed(table: FeatureTable, index: np.ndarray, columns: Tensor) -> np.ndarray:
    """Return one int64 for each row at ``index``, rising, of the table's ``columns``, alike for equal rows."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (len(columns),), generator=generator).to(table.device) * 2 + 1
    columns = columns.to(table.device)
    sums = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(index), PART):
        part = index[start : start + PART]
        # All rows are read where they lie; only a selection is copied.
        rows = table.rows(start, start + len(part)) if len(index) == len(table) else table.gather(part)
        bits = (rows[:, columns] + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
        sums.append((bits * factors).sum(dim=1).cpu().numpy())
    return np.concatenate(sums)


def first_of_equal(values: np.ndarray) -> np.ndarray:
    """Return for each of ``values`` (N,) the index of the first that equals it."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)]
