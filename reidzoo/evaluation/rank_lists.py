"""The heads of all queries' rankings, with what each image counts as: for looking at, where measures only count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from reidzoo.evaluation.protocols import JUNK, Protocol
from reidzoo.neighbours.checks import check_count
from reidzoo.neighbours.distances import DistanceSource

__all__ = ["Mark", "RankLists", "rank_lists"]


class Mark(IntEnum):
    """The kind of an image in a query's ranking."""

    WRONG = 0
    """Another identity's."""
    RIGHT = 1
    """A true match."""
    UNCOUNTED = 2
    """Left out by the protocol, such as the query's identity under the query's camera."""
    JUNK = 3
    """Of no identity."""


@dataclass(frozen=True)
class RankLists:
    """The nearest images of every query.

    Attributes:
        columns: int64 (Q, K), gallery rows, nearest first, those that do not count among them; -1 behind the last.
        distances: float64 (Q, K), infinity behind the last.
        marks: int64 (Q, K), a ``Mark`` each.
        match: int64 (Q,), the gallery row of the nearest true match, -1 for a query without one.
        match_distance: float64 (Q,), infinity without one.
        other: int64 (Q,), the gallery row of the nearest image of another identity that counts, -1 without one.
        other_distance: float64 (Q,), infinity without one.
    """

    columns: np.ndarray
    distances: np.ndarray
    marks: np.ndarray
    match: np.ndarray
    match_distance: np.ndarray
    other: np.ndarray
    other_distance: np.ndarray

    @property
    def missed(self) -> np.ndarray:
        """Boolean (Q,): the queries with a match whose first counted image is not one, a tie among them."""
        return (self.match >= 0) & (self.other_distance <= self.match_distance)


def rank_lists(source: DistanceSource, protocol: Protocol, k: int = 20) -> RankLists:
    """Return the ``k`` nearest gallery images of every query, and the nearest right and wrong one that count.

    One pass over the blocks of ``source``: memory is a block and Q x k. Of equal distances a true match comes last, as
    ``evaluate_ranking`` ranks it, and then the greater gallery row. Where the protocol draws galleries, this is the
    first draw.

    Args:
        source: Q x G distances.
        protocol: judges them.
        k: length of a list; a gallery may have fewer.

    Raises:
        EvaluationInputError: k is below 1.
    """
    check_count(k, "k")
    block = source.new_block()
    parts = []
    for first in range(0, source.num_queries, len(block)):
        rows = np.arange(first, min(first + len(block), source.num_queries))
        source.fill(first, block)
        parts.append(_block(block[: len(rows), : source.num_gallery].cpu().numpy(), rows, protocol, k))
    columns, values, marks, match, match_value, other, other_value = map(np.concatenate, zip(*parts))
    distances = [_to_distance(source, array) for array in (values, match_value, other_value)]
    return RankLists(columns, distances[0], marks, match, distances[1], other, distances[2])


def _block(everything: np.ndarray, rows: np.ndarray, protocol: Protocol, k: int) -> tuple[np.ndarray, ...]:
    """Return a block's share of ``RankLists``, with values instead of distances.

    Args:
        everything: float32 (B, G).
        rows: int64 (B,), the queries.
        protocol: judges them.
        k: length of a list.
    """
    drawn, pids, judgement = protocol.columns(0), protocol.labels.gallery_pids, protocol.judge(rows, 0)
    ranked = np.arange(len(pids)) if drawn is None else drawn
    values, columns, places = everything, np.broadcast_to(ranked, (len(rows), len(ranked))), judgement.match_columns
    if drawn is not None:  # ordered by identity; a match stands in the place of its identity's drawn image
        values, columns = everything[:, ranked], columns.copy()
        places = np.searchsorted(pids[ranked], pids[judgement.match_columns])
        columns[judgement.match_rows, places] = judgement.match_columns
        values[judgement.match_rows, places] = everything[judgement.match_rows, judgement.match_columns]
    marks = np.zeros(values.shape, dtype=np.int8)
    marks[:, pids[ranked] == JUNK] = Mark.JUNK
    marks[judgement.removed_rows, judgement.removed_columns] = Mark.UNCOUNTED
    marks[judgement.match_rows, places] = Mark.RIGHT
    right, wrong = (_nearest(values, marks == mark, columns) for mark in (Mark.RIGHT, Mark.WRONG))
    return (*_heads(values, marks, columns, k), *right, *wrong)


def _heads(values: np.ndarray, marks: np.ndarray, columns: np.ndarray, k: int) -> tuple[np.ndarray, ...]:
    """Return columns, values and marks of each row's ``k`` least values, (B, k) each."""
    width = min(k, values.shape[1])
    shape = (len(values), k)
    heads: tuple[np.ndarray, ...] = np.full(shape, -1), np.full(shape, np.inf, np.float32), np.zeros(shape, np.int64)
    for row, (value, mark) in enumerate(zip(values, marks)):
        limit = np.partition(value, width - 1)[width - 1]
        near = np.flatnonzero(value <= limit)
        near = near[np.lexsort((columns[row, near], mark[near] == Mark.RIGHT, value[near]))][:width]
        for head, found in zip(heads, (columns[row, near], value[near], mark[near])):
            head[row, :width] = found
    return heads


def _nearest(values: np.ndarray, wanted: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gallery row and value of the nearest ``wanted`` image of each row; -1 and infinity where none is."""
    masked, rows = np.where(wanted, values, np.inf), np.arange(len(values))
    place = masked.argmin(axis=1)
    least = masked[rows, place]
    return np.where(np.isfinite(least), columns[rows, place], -1), least


def _to_distance(source: DistanceSource, values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, source.to_distance(np.where(known, values, 0.0)), np.inf)
