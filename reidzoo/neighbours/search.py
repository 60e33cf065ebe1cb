"""Exact nearest neighbours within one set of features, without an N x N matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidzoo.neighbours.equal_rows import equal_rows
from reidzoo.neighbours.squared_distances import SquaredDistances
from reidzoo.neighbours.tiles import nearest_by_tiles

SPARE = 4  # candidates beyond the last one wanted
ROWS = 4096  # rows settled at a time


@dataclass(frozen=True)
class Neighbours:
    """The k nearest images of every image.

    Attributes:
        index: int64 (N, k), nearest first; the image itself is the first, and equal distances are ordered by index.
            Where more than ``SPARE`` different images are as close as the last one of a list, up to float32's error,
            these go by float32 distances.
        distance: float32 (N, k), squared Euclidean distances (2 - 2 cos under cosine), 0 for the image itself.
        farthest: float32 (N,), the greatest squared distance from the image to any; None unless asked for.
    """

    index: np.ndarray
    distance: np.ndarray
    farthest: np.ndarray | None


def nearest_neighbours(distances: SquaredDistances, k: int, farthest: bool = False) -> Neighbours:
    """Return the ``k`` nearest rows of every row, itself first, exactly.

    Equal rows are recognised before any rounding and searched for once. The others are searched in float32, by tiles,
    and those that float32 cannot tell apart are put in the order of their float64 distances.

    Args:
        distances: between N rows.
        k: number of neighbours, the image itself included; no more than N are returned.
        farthest: whether the greatest distances are wanted, too.
    """
    k = min(k, len(distances))
    first, group = equal_rows(distances.table)
    different = distances if len(first) == len(group) else distances.only(first)
    wanted = min(k, len(first))
    index, similarity, least = nearest_by_tiles(different, min(wanted + SPARE, len(first)), farthest)
    twice = 2.0 if distances.metric == "cosine" else 0.0  # |a|^2 + |b|^2, where the similarity is a.b alone
    value, index = np.float32(twice) - 2 * similarity.cpu().numpy(), index.cpu().numpy()
    value, index = settled(different, value, index, wanted)
    value[:, 0] = 0.0
    value = np.maximum(value, 0.0)
    if farthest:
        reach = twice - 2 * least.cpu().numpy() if len(first) > 1 else np.zeros(1, dtype=np.float32)
        reach = np.maximum(reach, 0)[group]
    if different is not distances:
        value, index = spread(value, index, first, group, k)
    return Neighbours(index, value.astype(np.float32), reach if farthest else None)


def settled(distances: SquaredDistances, value: np.ndarray, index: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``k`` of each row's sorted candidates, those too close for float32 in their float64 order.

    Args:
        distances: between N rows.
        value: float32 (N, w), distances, rising; those at the front are not looked at.
        index: int64 (N, w), the row itself at the front.
        k: at most w.

    Returns:
        distances (float64, exact where it mattered) and indices, (N, k) both.
    """
    count, width = value.shape
    out_value, out_index = np.empty((count, k)), np.empty((count, k), dtype=np.int64)
    for start in range(0, count, ROWS):
        rows = np.arange(start, min(start + ROWS, count))
        near, own = value[rows].astype(np.float64), index[rows]
        near[:, 0] = 0.0  # what float32 cannot tell from the row itself is unsure, too
        apart = np.diff(near, axis=1) > distances.slack(rows, own[:, 1:])
        run = np.cumsum(np.pad(apart, ((0, 0), (1, 0))), axis=1)  # numbers those that hang together
        hangs = np.pad(~apart, ((0, 0), (1, 0))) | np.pad(~apart, ((0, 0), (0, 1)))
        unsure = hangs & (run <= run[:, k - 1 : k])
        if width < count:
            unsure &= run < run[:, -1:]  # the last ones may hang together with others that are not at hand
        row, place = np.nonzero(unsure)
        near[row, place] = distances.exact(rows[row], own[row, place])
        near[:, 0] = -np.inf
        touched = np.unique(row)
        order = np.lexsort((own[touched], near[touched], run[touched]), axis=1)
        near[touched] = np.take_along_axis(near[touched], order, axis=1)
        own[touched] = np.take_along_axis(own[touched], order, axis=1)
        out_value[rows], out_index[rows] = near[:, :k], own[:, :k]
    return out_value, out_index


def spread(
    value: np.ndarray, index: np.ndarray, first: np.ndarray, group: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the neighbours (U, w) of the different rows among themselves into those (N, k) of all rows.

    Args:
        value: distances of each different row's nearest, itself at the front.
        index: their places among the different rows.
        first: (U,) index of each different row.
        group: (N,) place in ``first`` of every row's own.
        k: neighbours wanted of the N rows.
    """
    members = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    starts = np.cumsum(counts) - counts
    counts = np.minimum(counts, k)  # nobody's k nearest hold more of one group than its k smallest indices
    rank = np.cumsum(np.pad(np.diff(value, axis=1) > 0, ((0, 0), (1, 0))), axis=1)
    values, lists = np.empty((len(first), k)), np.empty((len(first), k), dtype=np.int64)
    for start in range(0, len(first), ROWS // 4):
        part = slice(start, start + ROWS // 4)
        near, taken = index[part].ravel(), counts[index[part]].ravel()
        place = np.repeat(np.arange(len(near)), taken)
        member = members[starts[near][place] + np.arange(len(place)) - (np.cumsum(taken) - taken)[place]]
        row = place // index.shape[1]
        order = np.lexsort((member, rank[part].ravel()[place], row))
        total = np.bincount(row)
        kept = order[(np.cumsum(total) - total)[:, None] + np.arange(k)]
        values[part], lists[part] = value[part].ravel()[place[kept]], member[kept]
    values, lists = values[group], lists[group]
    itself = lists == np.arange(len(group))[:, None]
    missing = ~itself.any(axis=1)  # where k equal rows of smaller indices come before it
    lists[missing, -1], itself[missing, -1] = np.flatnonzero(missing), True
    order = np.argsort(~itself, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(lists, order, axis=1)
