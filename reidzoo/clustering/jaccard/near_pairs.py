"""Finds the pairs of rows of a sparse matrix whose sum of minima is large, without summing all the others."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from scipy import sparse

__all__ = ["heaviest", "near_pairs"]

ROWS = 192  # rows of one sparse product: small enough that its memory serves the next one again
PAIRS = 4096  # pairs whose minima are taken at a time
SORTED = 4096  # rows sorted at a time
SLACK = 1e-5  # more than sums in float32 of a few hundred numbers, 1 in all, can be off


def near_pairs(values: sparse.csr_matrix, least: float, pool: Executor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each pair of rows i < j with sum_c min(V_ic, V_jc) >= ``least``.

    With H_i the heaviest columns of row i,

        sum_c min(V_ic, V_jc) <= sum of V_ic over the columns of H_i that row j has + the mass of row i outside H_i,

    and the same with i and j exchanged. The right side is a sparse product of few columns. Only pairs that it allows in
    both directions are summed, and they are hardly more than the pairs wanted.

    Args:
        values: (N, N) csr_matrix of positive float64, rows of sum 1, indices sorted.
        least: the sum wanted, above 0.
        pool: where the parts of the work are run.

    Returns:
        ``(i, j, sums)``: int32, int32 and float64, (pairs,) each.
    """
    heavy = heaviest(values, 1.0 - 0.64 * least)  # of a few tried, the share that costs least in all
    needed = least - SLACK - (1.0 - np.asarray(heavy.sum(axis=1)).ravel())
    heavy = heavy.astype(np.float32)
    ones = np.ones(values.nnz, dtype=np.float32)
    owners = sparse.csr_matrix((ones, values.indices, values.indptr), shape=values.shape).T.tocsr()

    def allowed(start: int) -> sparse.csr_matrix:
        bound = heavy[start : start + ROWS] @ owners
        row = np.repeat(np.arange(bound.shape[0]), np.diff(bound.indptr))
        entries = np.flatnonzero(bound.data >= needed[start : start + ROWS][row])
        ones = np.ones(len(entries), dtype=np.int8)
        pointer = np.searchsorted(entries, bound.indptr)
        return sparse.csr_matrix((ones, bound.indices[entries], pointer), shape=bound.shape)

    one_way = sparse.vstack(list(pool.map(allowed, range(0, values.shape[0], ROWS))), format="csr")
    both_ways = sparse.triu(one_way.multiply(one_way.T.tocsr()), 1, format="coo")
    i, j = both_ways.row.astype(np.int32), both_ways.col.astype(np.int32)

    def sums(start: int) -> np.ndarray:
        part = slice(start, start + PAIRS)
        return np.asarray(values[i[part]].minimum(values[j[part]]).sum(axis=1)).ravel()

    total = np.concatenate([np.zeros(0), *pool.map(sums, range(0, len(i), PAIRS))])
    close = total >= least
    return i[close], j[close], total[close]


def heaviest(values: sparse.csr_matrix, share: float) -> sparse.csr_matrix:
    """Return the largest entries of each row of ``values``, as many as make up ``share`` of the row's sum of 1."""
    chosen = []
    for start in range(0, values.shape[0], SORTED):
        pointer = values.indptr[start : start + SORTED + 1]
        weight = values.data[pointer[0] : pointer[-1]]
        row = np.repeat(np.arange(len(pointer) - 1), np.diff(pointer))
        # One integer to sort by: the row, then the weight falling. Weights equal in 31 bits may come in any order.
        order = np.argsort((row << 31) + ((1.0 - weight) * (2**31 - 1)).astype(np.int64))
        mass = np.cumsum(weight[order])
        before = mass - weight[order] - np.concatenate([[0.0], mass])[pointer[:-1] - pointer[0]][row]
        chosen.append(np.sort(order[before < share]) + pointer[0])
    entries = np.concatenate(chosen)
    starts = np.searchsorted(entries, values.indptr)
    return sparse.csr_matrix((values.data[entries], values.indices[entries], starts), shape=values.shape)
