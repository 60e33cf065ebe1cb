"""Exact nearest neighbours within one set of features, without an N x N matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reidzoo.neighbours.checks import check_whole
from reidzoo.neighbours.equal_rows import equal_rows
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.features import normalised
from reidzoo.neighbours.squared_distances import SquaredDistances
from reidzoo.neighbours.tiles import nearest_by_tiles

__all__ = ["Neighbours", "nearest_by_cosine", "nearest_neighbours", "neighbours_of_normalised"]

SPARE = 4  # candidates beyond the last one wanted
ROWS = 4096  # rows whose ties are resolved at a time


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

    def known_farthest(self) -> np.ndarray:
        """Return ``farthest``.

        Raises:
            ValueError: the search was not asked for it.
        """
        if self.farthest is None:
            raise ValueError("search the neighbours with farthest=True")
        return self.farthest


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
    distinct = distances if len(first) == len(group) else distances.subset(first)
    wanted = min(k, len(first))
    candidates, similarity, least = nearest_by_tiles(distinct, min(wanted + SPARE, len(first)), farthest)
    twice = 2.0 if distances.metric == "cosine" else 0.0  # |a|^2 + |b|^2, where the similarity is a.b alone
    value = np.float32(twice) - 2 * similarity.cpu().numpy()
    value, index = resolve_ties(distinct, value, candidates.cpu().numpy(), wanted)
    value[:, 0] = 0.0
    value = np.maximum(value, 0.0)
    greatest = None
    if least is not None:
        greatest = twice - 2 * least.cpu().numpy() if len(first) > 1 else np.zeros(1, dtype=np.float32)
        greatest = np.maximum(greatest, 0)[group]
    if distinct is not distances:
        value, index = expand_copies(value, index, first, group, k)
    return Neighbours(index, value.astype(np.float32), greatest)


def nearest_by_cosine(features: Tensor | np.ndarray, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` nearest rows to each row by cosine similarity, exactly and without an N x N matrix.

    A row's first neighbour is always itself; the others follow by (similarity falling, index rising), so that ties do
    not depend on the order of the work; ``nearest_neighbours`` says how.

    Args:
        features: (N, D) on any device; the work is done there.
        k: neighbours to find, the row itself included; capped at N.

    Returns:
        ``(indices, similarities)``: int64 and float32, both (N, min(k, N)), on the device of ``features``.

    Raises:
        ClusteringError: k below 1, or features as ``reidzoo.neighbours.features.normalised`` says.
    """
    check_whole(k, "k")
    rows = normalised(features)
    neighbours = neighbours_of_normalised(rows, k)
    similarities = 1 - torch.from_numpy(neighbours.distance).to(rows.device) / 2
    return torch.from_numpy(neighbours.index).to(rows.device), similarities


def neighbours_of_normalised(rows: Tensor, k: int) -> Neighbours:
    """Return the neighbours by cosine similarity among rows that are float32 and L2-normalised already."""
    return nearest_neighbours(SquaredDistances(FeatureTable(rows, "features", rows.device), "cosine"), k)


def resolve_ties(
    distances: SquaredDistances, value: np.ndarray, index: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
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
        block_value, block_index = value[rows].astype(np.float64), index[rows]
        block_value[:, 0] = 0.0  # what float32 cannot tell from the row itself is unsure, too
        apart = np.diff(block_value, axis=1) > distances.slack(rows, block_index[:, 1:])
        run = np.cumsum(np.pad(apart, ((0, 0), (1, 0))), axis=1)  # numbers those that hang together
        in_run = np.pad(~apart, ((0, 0), (1, 0))) | np.pad(~apart, ((0, 0), (0, 1)))
        unsure = in_run & (run <= run[:, k - 1 : k])
        if width < count:
            unsure &= run < run[:, -1:]  # the last ones may hang together with others that are not at hand
        row, column = np.nonzero(unsure)
        block_value[row, column] = distances.exact(rows[row], block_index[row, column])
        block_value[:, 0] = -np.inf
        touched = np.unique(row)
        order = np.lexsort((block_index[touched], block_value[touched], run[touched]), axis=1)
        block_value[touched] = np.take_along_axis(block_value[touched], order, axis=1)
        block_index[touched] = np.take_along_axis(block_index[touched], order, axis=1)
        out_value[rows], out_index[rows] = block_value[:, :k], block_index[:, :k]
    return out_value, out_index


def expand_copies(
    value: np.ndarray, index: np.ndarray, first: np.ndarray, group: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the neighbours (U, w) of the distinct rows among themselves into those (N, k) of all rows.

    Args:
        value: distances of each distinct row's nearest, itself at the front.
        index: their numbers among the distinct rows.
        first: (U,) index of each distinct row.
        group: (N,) number of the distinct row that each row is.
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
        groups, sizes = index[part].ravel(), counts[index[part]].ravel()
        entry = np.repeat(np.arange(len(groups)), sizes)  # of the lists of groups, for each member of them
        member = members[starts[groups][entry] + np.arange(len(entry)) - (np.cumsum(sizes) - sizes)[entry]]
        row = entry // index.shape[1]
        order = np.lexsort((member, rank[part].ravel()[entry], row))
        total = np.bincount(row)
        nearest = order[(np.cumsum(total) - total)[:, None] + np.arange(k)]
        values[part], lists[part] = value[part].ravel()[entry[nearest]], member[nearest]
    values, lists = values[group], lists[group]
    itself = lists == np.arange(len(group))[:, None]
    missing = ~itself.any(axis=1)  # where k equal rows of smaller indices come before it
    lists[missing, -1], itself[missing, -1] = np.flatnonzero(missing), True
    order = np.argsort(~itself, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(lists, order, axis=1)
