"""Writes features to an ``.npy`` file block by block, so that they need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from torch import Tensor

__all__ = ["write_features"]


def write_features(file: BinaryIO, blocks: Iterable[Tensor], dim: int) -> int:
    """Write the rows of all blocks as one array in numpy's format; ``np.load(path, mmap_mode="r")`` reads it in place.

    Args:
        file: open for writing, at its beginning, and can seek.
        blocks: features (n, D), n may differ.
        dim: D.

    Returns:
        N, the number of rows of the float32 (N, D) array that the file now holds.
    """
    start = _write_header(file, 0, dim)
    rows = 0
    for block in blocks:
        array = block.numpy()
        if array.shape[1:] != (dim,):
            raise ValueError(f"a block of shape {array.shape}; expected (n, {dim})")
        file.write(np.ascontiguousarray(array, "<f4").data)
        rows += len(array)
    file.seek(0)
    if _write_header(file, rows, dim) != start:  # numpy leaves room for the number of rows to grow
        raise ValueError("numpy's header changed its length")
    return rows


def _write_header(file: BinaryIO, rows: int, dim: int) -> int:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
