"""Counts the exact ranks of true matches, and computes the measures of each query from them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

__all__ = ["AP_KINDS", "pad_matches", "ranks_of_matches", "score_ranks", "sort_rows"]

AP_KINDS = ("step", "trapezoid")


def sort_rows(values: torch.Tensor) -> torch.Tensor:
    """Sort every row of ``values``, float32 (B, C), in place and return it."""
    if values.device.type != "cpu":
        return values.copy_(torch.sort(values, dim=1).values)
    array = values.numpy()
    workers = min(torch.get_num_threads(), len(array)) if array.size > 1_000_000 else 1
    if workers == 1:
        array.sort(axis=1)
        return values
    # numpy sorts values several times faster than torch sorts pairs, and lets other threads run meanwhile.
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda part: part.sort(axis=1), np.array_split(array, workers * 4)))
    return values


def ranks_of_matches(candidates: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Return the ranks of every query's true matches.

    A match is ranked behind all non-matches that are nearer or *exactly as near*: rank_j = j + #{non-matches c:
    d_c <= d_j} for the j-th nearest match. The result does not depend on the order of the gallery, and ties are never
    decided in the method's favour: constant features get the worst ranks, not the luck of a sort.

    Args:
        candidates: float32 (B, C), every row sorted; the non-matches' distances, infinity for what does not count.
        matches: float32 (B, M), every row sorted; the matches' distances, infinity where a query has fewer than M.

    Returns:
        int64 (B, M), ascending ranks from 1; meaningless where ``matches`` is infinite.
    """
    among_matches = torch.arange(1, matches.shape[1] + 1, device=matches.device)
    return torch.searchsorted(candidates, matches.contiguous(), right=True) + among_matches


def pad_matches(values: torch.Tensor, rows: np.ndarray, columns: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    """Collect the distances of true matches by query.

    Args:
        values: (B, G) distances.
        rows: int64 (P,), ascending, the query of every match.
        columns: int64 (P,), its gallery row.

    Returns:
        (B, M) distances, every row sorted and filled up with infinity, and the number of matches int64 (B,).
    """
    counts = np.bincount(rows, minlength=len(values))
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(int(counts.max(initial=0)), 1)
    matches = torch.full((len(values), width), torch.inf, dtype=values.dtype, device=values.device)
    row, position, column = (torch.from_numpy(index).to(values.device) for index in (rows, within, columns))
    matches[row, position] = values[row, column]
    return torch.sort(matches, dim=1).values, counts


def score_ranks(ranks: np.ndarray, counts: np.ndarray, ap: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return average precision, inverse negative penalty and the first match's rank of every query.

    AP ``step`` is (1/M) sum_j j / r_j, the area under the precision-recall steps. ``trapezoid`` joins the precisions
    just before and at each match by a line: (1/M) sum_j (j / r_j + (j - 1) / (r_j - 1)) / 2 with the second term 1
    for r_j = 1 (Market-1501's original script). INP is M / r_M (Ye et al., TPAMI 2021).

    Args:
        ranks: int64 (B, M) from ``ranks_of_matches``.
        counts: int64 (B,), how many of them are real; at least 1.
        ap: ``step`` or ``trapezoid``.

    Returns:
        float64 (B,), float64 (B,), int64 (B,).
    """
    number = np.arange(1, ranks.shape[1] + 1)
    precision = number / ranks
    if ap == "trapezoid":
        before = np.divide(number - 1.0, ranks - 1.0, out=np.ones(ranks.shape), where=ranks > 1)
        precision = (precision + before) / 2
    real = number <= counts[:, None]
    average = np.where(real, precision, 0.0).sum(axis=1) / counts
    last = np.take_along_axis(ranks, counts[:, None] - 1, axis=1)[:, 0]
    return average, counts / last, ranks[:, 0]
