"""Computes the sums of minima between the rows of a sparse matrix, as sparse products."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy import sparse

__all__ = ["SplitTree"]

ENTRIES = 1 << 24  # entries of one block's lists, 12 bytes each
PART = 1 << 18  # entries of V whose splits are made at a time


class SplitTree:
    """Computes sum_c min(V_ic, V_jc) for all pairs of rows (i, j) that share a column.

    The sum is not a matrix product, but can be made one. Sort the rows of column c by V_ic, and halve them again and
    again (at multiples of powers of two). Any two rows are separated by exactly one of these splits; there the lower
    half holds the smaller value, so min(V_ic, V_jc) is that row's value times one. A row that looks up, at each of its
    splits, the list of the other half therefore meets each other row of the column once, with the minimum as product.

    Args:
        values: (N, N) csr_matrix of positive float64, one or more entries in each row.
    """

    def __init__(self, values: sparse.csr_matrix) -> None:
        self.values = values
        n = values.shape[0]
        self.counts = np.bincount(values.indices, minlength=n)
        self.starts = np.cumsum(self.counts) - self.counts
        order = np.lexsort((values.data, values.indices))
        row = np.repeat(np.arange(n, dtype=np.int32), np.diff(values.indptr))
        self.sorted_rows = row[order]
        self.sorted_values = values.data[order]
        self.rank = np.empty(values.nnz, dtype=np.int32)
        self.rank[order] = np.arange(values.nnz) - self.starts[values.indices[order]]

    def blocks(self) -> Iterator[slice]:
        """Yield slices of rows whose lists have about ENTRIES entries each."""
        n = self.values.shape[0]
        # A row is in about one list per level of each of its columns, and in half of those of the lowest.
        levels = (np.log2(np.maximum(self.counts, 1)) + 0.5).astype(np.float32)
        cost = np.cumsum(np.add.reduceat(levels[self.values.indices], self.values.indptr[:-1], dtype=np.float64))
        count = int(cost[-1] // ENTRIES) + 1
        bounds = np.searchsorted(cost, np.arange(1, count) * (cost[-1] / count))
        edges = sorted({0, *bounds.tolist(), n})
        for start, stop in pairwise(edges):
            yield slice(start, stop)

    def lists(self, block: slice) -> sparse.csr_matrix:
        """Return the lists of all splits, of the rows of ``block`` alone: (2 nnz + N, N).

        With s = (start of the column) + (rank where the upper half begins), list 2 s holds the lower half of a split,
        with its values, and list 2 s + 1 the upper, with ones. List 2 nnz + i holds row i, which no split separates
        from itself, with a one.
        """
        inside = (self.sorted_rows >= block.start) & (self.sorted_rows < block.stop)
        before = np.concatenate([[0], np.cumsum(inside, dtype=np.int32)])
        rows, values = self.sorted_rows[inside], self.sorted_values[inside]
        del inside
        n, nnz = self.values.shape[0], self.values.nnz
        block_rows = np.arange(block.start, block.stop, dtype=np.int32)
        pointer = np.zeros(2 * nnz + n + 1, dtype=np.int32)
        lengths = pointer[1:]
        for start in range(0, nnz, PART):
            part = np.diff(self.split_edges(before, start), axis=0).T.ravel()
            lengths[2 * start : 2 * start + len(part)] = part
        lengths[2 * nnz :][block_rows] = 1
        np.cumsum(pointer, out=pointer)
        indices = np.empty(pointer[-1], dtype=np.int32)
        data = np.ones(pointer[-1])
        for start in range(0, nnz, PART):
            first, middle, last = self.split_edges(before, start)
            total = last - first
            offset = np.arange(total.sum()) - np.repeat(np.cumsum(total) - total, total)
            source = offset + np.repeat(first, total)
            lower = offset < np.repeat(middle - first, total)
            filled = slice(pointer[2 * start], pointer[2 * start] + len(source))
            indices[filled] = rows[source]
            data[filled][lower] = values[source[lower]]
        indices[pointer[2 * nnz] :] = block_rows
        return sparse.csr_matrix((data, indices, pointer), shape=(len(pointer) - 1, n))

    def split_edges(self, before: np.ndarray, start: int) -> np.ndarray:
        """Return where the halves of the splits at ``start`` and after begin, meet and end: (3, at most PART).

        Args:
            before: (nnz + 1,) number of wanted entries before each of the sorted entries; the edges count only those.
            start: the first of the splits, which are numbered by their positions among the sorted entries.
        """
        position = np.arange(start, min(start + PART, self.values.nnz))
        column = np.searchsorted(self.starts, position, side="right") - 1
        split = position - self.starts[column]
        width = split & -split  # as wide as its lowest bit; the first entry of a column is not a split: width 0
        end = np.minimum(position + width, self.starts[column] + self.counts[column])
        return before[np.stack([position - width, position, end])]

    def sums(self, rows: slice, lists: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return sum_c min(V_ic, V_jc) of each i of ``rows`` and each j of the lists: (rows, N), indices unsorted."""
        pointer = self.values.indptr[rows.start : rows.stop + 1]
        entries = slice(pointer[0], pointer[-1])
        pointer = pointer - pointer[0]
        column, rank, value = self.values.indices[entries], self.rank[entries], self.values.data[entries]
        counts, start = self.counts[column], self.starts[column]
        levels = int(counts.max() - 1).bit_length()
        wanted = np.empty((len(rank), levels + 1), dtype=np.int32)
        factor = np.ones(wanted.shape)
        valid = np.zeros(wanted.shape, dtype=bool)
        for level in range(levels):
            lower = ((rank >> level) & 1) == 0
            split = ((rank >> level) | 1) << level
            wanted[:, level] = 2 * (start + split) + lower  # the other half
            factor[lower, level] = value[lower]
            valid[:, level] = split < counts
        wanted[pointer[:-1], levels] = np.arange(rows.start, rows.stop) + 2 * self.values.nnz
        valid[pointer[:-1], levels] = True
        chosen = np.flatnonzero(valid)
        ends = np.searchsorted(chosen, pointer * (levels + 1))
        shape = (len(pointer) - 1, lists.shape[0])
        return sparse.csr_matrix((factor.ravel()[chosen], wanted.ravel()[chosen], ends), shape=shape) @ lists
