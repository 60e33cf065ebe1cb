"""Counts the exact ranks of true matches, and computes the measures of each query from them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from reidzoo.errors import EvaluationInputError

__all__ = ["AP_KINDS", "count_ranks", "pad_matches", "rank_matches", "ranks_of_matches", "score_ranks", "sort_rows"]

AP_KINDS = ("step", "trapezoid")
WORTH_FILTERING = 2048
"""Candidates of a query from which on the nearer ones are picked out before they are sorted."""
WORTH_COUNTING = 128
"""Matches of a query up to which a GPU counts what is nearer than each instead of sorting."""


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


def rank_matches(candidates: torch.Tensor, matches: torch.Tensor, counts: np.ndarray) -> torch.Tensor:
    """Return what ``ranks_of_matches`` does, of rows that are not sorted; they may be sorted in place.

    Candidates behind a query's farthest match do not count. Where there are many, only the others are sorted: the
    better the model, the fewer they are.

    Args:
        candidates: float32 (B, C), no NaN.
        matches: as for ``ranks_of_matches``.
        counts: int64 (B,), how many matches of each row are real.
    """
    if candidates.device.type != "cpu" and matches.shape[1] <= WORTH_COUNTING:
        return count_ranks(candidates, matches)
    if candidates.device.type != "cpu" or candidates.shape[1] < WORTH_FILTERING:
        return ranks_of_matches(sort_rows(candidates), matches)
    ranks = np.ones(matches.shape, dtype=np.int64)
    rows, found = candidates.numpy(), matches.numpy()

    def rank(queries: np.ndarray) -> None:
        for row in queries[counts[queries] > 0]:
            real = found[row, : counts[row]]
            near = rows[row][rows[row] <= real[-1]]
            near.sort()
            ranks[row, : len(real)] = np.searchsorted(near, real, side="right") + np.arange(1, len(real) + 1)

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(rank, np.array_split(np.arange(len(rows)), 4 * threads)))
    return torch.from_numpy(ranks)


def count_ranks(candidates: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Return what ``ranks_of_matches`` does, of rows that are not sorted: by a pass over them for each match.

    A GPU reads a row some hundred times in the time that it sorts it in.
    """
    nearer = [(candidates <= column[:, None]).sum(1) for column in matches.unbind(1)]
    return torch.stack(nearer, dim=1) + torch.arange(1, matches.shape[1] + 1, device=matches.device)


def pad_matches(values: torch.Tensor, rows: np.ndarray, columns: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    """Collect the distances of true matches by query.

    Args:
        values: (B, G) distances.
        rows: int64 (P,), ascending, the query of every match.
        columns: int64 (P,), its gallery row.

    Returns:
        (B, M) distances, every row sorted and filled up with infinity, and the number of matches int64 (B,).

    Raises:
        EvaluationInputError: ``rows`` do not ascend.
    """
    if (np.diff(rows) < 0).any():
        raise EvaluationInputError(
            "the protocol's judge returned match_rows that do not ascend; sort them, and match_columns with them"
        )
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
