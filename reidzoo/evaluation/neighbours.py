"""Exact nearest neighbours within one set of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.evaluation.distances import check_range, exact_matmul, far_centre
from reidzoo.evaluation.feature_table import FeatureTable

TILE = 2048
GATHER = 256
SPARE = 8


@dataclass(frozen=True)
class Neighbours:
    """The k nearest images of every image.

    Attributes:
        index: int64 (N, k), nearest first; the image itself is the first, and equal distances are ordered by index.
            Where more than ``SPARE`` images are as close as the last one of a list, up to float32's error, that list
            goes by float32 distances.
        distance: float32 (N, k), squared Euclidean distances (2 - 2 cos under cosine), 0 for the image itself.
        farthest: float32 (N,), the greatest squared distance from the image to any.
    """

    index: np.ndarray
    distance: np.ndarray
    farthest: np.ndarray


class SquaredDistances:
    """Squared Euclidean distances between rows of one table, |a|^2 + |b|^2 - 2 a.b, in float32.

    Args:
        table: N rows.
        metric: ``cosine`` normalises the rows, so that the squared distance is 2 - 2 cos; ``euclidean`` does not.

    Raises:
        EvaluationInputError: rows that the metric cannot take.
    """

    def __init__(self, table: FeatureTable, metric: str) -> None:
        check_range(table, metric)
        self._table, self.metric = table, metric
        self._centre = far_centre(table) if metric == "euclidean" else None
        self._squares = np.ones(len(table)) if metric == "cosine" else table.lengths(self._centre) ** 2

    def __len__(self) -> int:
        """Return N."""
        return len(self._table)

    def rows(self, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the prepared rows of the tile at ``start``, (TILE, D) with zeros past the end, and squared lengths."""
        tile = self._table.tile(start, TILE)
        if self.metric == "cosine":
            tile = tile * self._padded(1.0 / self._table.norms, start)[:, None]
        elif self._centre is not None:
            tile = tile - self._centre
        return tile, self._padded(self._squares, start)

    def tile(self, left: tuple[torch.Tensor, torch.Tensor], right: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return (TILE, TILE) squared distances between two results of :meth:`rows`."""
        with exact_matmul(self._table.device):
            return (left[1][:, None] + right[1][None]).addmm_(left[0], right[0].T, alpha=-2.0)

    def exact(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the squared distances, float64 (P,), of the pairs (left[p], right[p]), computed in float64."""
        out = np.empty(len(left))
        for start in range(0, len(left), GATHER):
            part = slice(start, start + GATHER)
            out[part] = (self._gather(left[part]) - self._gather(right[part])).square().sum(1).cpu().numpy()
        return out

    def slack(self, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return how far two values of a tile may lie apart though the distances are equal: 2e-6 (|a|^2 + |b|^2).

        Args:
            rows: int64 (n,).
            index: int64 (n, k), the other row of each pair.
        """
        return 2e-6 * (self._squares[rows][:, None] + self._squares[index])

    def _gather(self, index: np.ndarray) -> torch.Tensor:
        rows = self._table.gather(index).double()
        if self.metric == "cosine":
            rows /= torch.from_numpy(self._table.norms[index]).to(rows)[:, None]
        return rows

    def _padded(self, values: np.ndarray, start: int) -> torch.Tensor:
        part = values[start : start + TILE]
        return torch.from_numpy(np.pad(part, (0, TILE - len(part)))).to(self._table.device, torch.float32)


def nearest_neighbours(distances: SquaredDistances, k: int) -> Neighbours:
    """Return the ``k`` nearest rows of every row, itself first, by tiles and without an N x N matrix.

    A tile of distances serves its rows and its columns, which halves the work. Neighbours that float32 cannot tell
    apart are put in the order of their float64 distances.

    Args:
        distances: between N rows.
        k: number of neighbours, the image itself included; no more than N are returned.
    """
    count = len(distances)
    k = min(k, count)
    best = _Best(count, min(k + SPARE, count))
    for first in range(0, count, TILE):
        left = distances.rows(first)
        for second in range(first, count, TILE):
            right = left if second == first else distances.rows(second)
            values = distances.tile(left, right)[: count - first, : count - second]
            if second == first:
                values.fill_diagonal_(-torch.inf)
            best.add(first, second, values)
            if second != first:
                best.add(second, first, values.T.contiguous())
    value, index = _settle(distances, *_sorted(best.value.numpy(), best.index.numpy()), k)
    value[:, 0] = 0.0
    return Neighbours(index, value, best.farthest.numpy())


def _settle(distances: SquaredDistances, value: np.ndarray, index: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``k`` of each row's sorted candidates, those too close for float32 in their float64 order."""
    count, width = value.shape
    rows = np.arange(count)
    close = np.diff(value, axis=1) <= distances.slack(rows, index[:, 1:])
    unsure = close[:, :k].any(axis=1)
    # Many copies of one image: the candidates at hand may not hold all that are as close as the k-th.
    beyond = close[:, k - 1 :].all(axis=1) & (width < count)
    rows = np.flatnonzero(unsure & ~beyond)
    if len(rows):
        exact = distances.exact(np.repeat(rows, width), index[rows].ravel()).reshape(-1, width)
        exact[index[rows] == rows[:, None]] = -np.inf
        value[rows], index[rows] = _sorted(exact, index[rows])
    value, index = value[:, :k].copy(), index[:, :k].copy()
    rows = np.flatnonzero(beyond)
    if len(rows):
        value[rows], index[rows] = _sorted(*_by_index(distances, rows, k))
    return value, index


def _sorted(value: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((index, value), axis=1)
    return np.take_along_axis(value, order, axis=1), np.take_along_axis(index, order, axis=1)


class _Best:
    """The smallest values of every row so far."""

    def __init__(self, count: int, k: int) -> None:
        self.value = torch.full((count, k), torch.inf)
        self.index = torch.zeros((count, k), dtype=torch.int64)
        self.farthest = torch.zeros(count)

    def add(self, first: int, second: int, values: torch.Tensor) -> None:
        """Take in the distances from rows ``first``... to rows ``second``..."""
        rows = slice(first, first + len(values))
        self.farthest[rows] = torch.maximum(self.farthest[rows], values.amax(1).cpu())
        value, index = torch.topk(values, min(self.value.shape[1], values.shape[1]), dim=1, largest=False)
        value = torch.cat([self.value[rows], value.cpu()], dim=1)
        index = torch.cat([self.index[rows], index.cpu() + second], dim=1)
        self.value[rows], chosen = torch.topk(value, self.value.shape[1], dim=1, largest=False)
        self.index[rows] = torch.gather(index, 1, chosen)


def _by_index(distances: SquaredDistances, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` smallest values and their indices for ``rows``, equal values in the order of their indices."""
    values_out, index_out = [], []
    count = len(distances)
    for first in np.unique(rows // TILE * TILE):
        left = distances.rows(int(first))
        mine = torch.from_numpy(rows[rows // TILE * TILE == first] - first).to(left[0].device)
        best = torch.empty((len(mine), 0), dtype=torch.int64)
        for second in range(0, count, TILE):
            tile = distances.tile(left, distances.rows(second))[: count - first, : count - second]
            if second == first:
                tile.fill_diagonal_(-torch.inf)
            keys = torch.cat([best, _keys(tile[mine].cpu(), second)], dim=1)
            best = torch.topk(keys, min(k, keys.shape[1]), dim=1, largest=False).values
        values_out.append(_unkey(best))
        index_out.append((best & 0xFFFFFFFF).numpy())
    return np.concatenate(values_out), np.concatenate(index_out)


def _keys(values: torch.Tensor, first: int) -> torch.Tensor:
    """Pack float32 values and their indices into int64 keys that sort by value and then by index."""
    bits = (values + 0.0).contiguous().view(torch.int32).to(torch.int64)  # + 0.0 makes -0.0 equal to 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return (ordered << 32) | (torch.arange(values.shape[1]) + first)


def _unkey(keys: torch.Tensor) -> np.ndarray:
    ordered = keys >> 32
    return torch.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).to(torch.int32).view(torch.float32).numpy()
