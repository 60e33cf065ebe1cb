"""Sums of minima between the rows of a sparse matrix, as sparse products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

PARTNERS = 1 << 22  # entries of one group's partner lists: 12 bytes each, and about as much again while they are made
ROWS = 192  # rows of one product: small enough that its memory is used again for the next


@dataclass
class Group:
    """Rows that are worked on together, with the lists that they look up."""

    rows: slice
    offset: np.ndarray
    """(N,) int64: where the splits of each column begin among the lists; meaningless for columns not looked up."""
    partners: sparse.csr_matrix
    """(lists, N): list 2 s holds the lower half of split s, with its values; list 2 s + 1 the upper half, with ones."""


class SplitTree:
    """sum_c min(V_ic, V_jc) of all pairs of rows (i, j) that share a column.

    The sum is no matrix product, but can be made one. Sort the rows of column c by V_ic, and halve them again and again
    (at multiples of powers of two). Two rows part company at exactly one of these splits; there the lower half holds the
    smaller value, so min(V_ic, V_jc) is that row's value times one. A row that looks up, at each of its splits, the list
    of the other half therefore meets each other row of the column once, with the minimum as the product.

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
        # Entries that a column's lists hold: every row of it is in about one list a level.
        self.cost = self.counts * np.ceil(np.log2(np.maximum(self.counts, 1)) + 1).astype(np.int64)

    def groups(self) -> Iterator[Group]:
        """Yield groups of successive rows, so large that their lists have about PARTNERS entries."""
        n = self.values.shape[0]
        start = 0
        size = ROWS * 8
        while start < n:
            stop = min(start + size, n)
            columns = self.columns(start, stop)
            excess = self.cost[columns].sum() / PARTNERS
            if excess > 1 and stop - start > ROWS:
                size = max(ROWS, int((stop - start) / excess * 0.9))
                continue
            yield self.group(slice(start, stop), columns)
            start = stop
            if excess < 0.5:
                size *= 2

    def columns(self, start: int, stop: int) -> np.ndarray:
        """Return the columns that the rows from ``start`` to ``stop`` have entries in, rising."""
        used = np.zeros(self.values.shape[1], dtype=bool)
        used[self.values.indices[self.values.indptr[start] : self.values.indptr[stop]]] = True
        return np.flatnonzero(used)

    def group(self, rows: slice, columns: np.ndarray) -> Group:
        """Return the group of ``rows``, which have entries in ``columns`` alone."""
        counts = self.counts[columns]
        begin = np.cumsum(counts) - counts
        offset = np.zeros(self.values.shape[1], dtype=np.int64)
        offset[columns] = begin
        # Split s of a column, 0 < s < count, is between ranks s - 1 and s, and as wide as the lowest bit of s.
        split = np.arange(counts.sum()) - np.repeat(begin, counts)
        width = split & -split
        above = np.minimum(width, np.repeat(counts, counts) - split)
        first = np.repeat(self.starts[columns], counts) + split - width
        lengths = np.stack([width, above], axis=1).ravel()
        total = width + above
        source = np.arange(total.sum()) + np.repeat(first - (np.cumsum(total) - total), total)
        upper = np.repeat(np.tile([False, True], len(split)), lengths)
        data = np.where(upper, 1.0, self.sorted_values[source])
        # Last, a list for each row that holds itself, because no split parts it from itself.
        own = np.arange(rows.start, rows.stop)
        pointer = np.concatenate([[0], np.cumsum(np.concatenate([lengths, np.ones(len(own), dtype=np.int64)]))])
        partners = sparse.csr_matrix(
            (np.concatenate([data, np.ones(len(own))]), np.concatenate([self.sorted_rows[source], own]), pointer),
            shape=(len(pointer) - 1, self.values.shape[0]),
        )
        return Group(rows, offset, partners)

    def sums(self, group: Group, rows: slice) -> sparse.csr_matrix:
        """Return sum_c min(V_ic, V_jc) of ``rows``, a part of the group's, with all rows: (rows, N), indices unsorted."""
        pointer = self.values.indptr[rows.start : rows.stop + 1]
        entries = slice(pointer[0], pointer[-1])
        pointer = pointer - pointer[0]
        column, rank, value = self.values.indices[entries], self.rank[entries], self.values.data[entries]
        counts, base = self.counts[column], 2 * group.offset[column]
        levels = int(counts.max() - 1).bit_length()
        lists = np.empty((len(rank), levels + 1), dtype=np.int64)
        factor = np.ones(lists.shape)
        valid = np.zeros(lists.shape, dtype=bool)
        for level in range(levels):
            lower = ((rank >> level) & 1) == 0
            split = ((rank >> level) | 1) << level
            lists[:, level] = base + 2 * split + lower  # the list of the other half
            factor[lower, level] = value[lower]
            valid[:, level] = split < counts
        height = group.rows.stop - group.rows.start
        own = group.partners.shape[0] - height - group.rows.start
        lists[pointer[:-1], levels] = own + np.arange(rows.start, rows.stop)
        valid[pointer[:-1], levels] = True
        ends = np.concatenate([[0], np.cumsum(valid.sum(axis=1))])[pointer]
        shape = (len(pointer) - 1, group.partners.shape[0])
        return sparse.csr_matrix((factor[valid], lists[valid], ends), shape=shape) @ group.partners
