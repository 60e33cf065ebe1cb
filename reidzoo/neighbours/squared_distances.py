"""Squared Euclidean distances between the rows of one table of features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.neighbours.distances import check_range, far_centre
from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["SquaredDistances"]

GATHER = 256  # pairs computed at a time: few enough for the cache


class SquaredDistances:
    """Computes squared distances between the rows of a table: from float32 tiles, or in float64 for given pairs.

    Args:
        table: N rows.
        metric: ``cosine`` normalises the rows, so that the squared distance is 2 - 2 cos; ``euclidean`` does not.
        chosen: int64 (n,), the rows to take instead of all.

    Raises:
        EvaluationInputError: rows that the metric cannot take.
    """

    def __init__(self, table: FeatureTable, metric: str, chosen: np.ndarray | None = None) -> None:
        check_range(table, metric)
        self.table, self.metric, self.device, self._chosen = table, metric, table.device, chosen
        self._centre = far_centre(table) if metric == "euclidean" else None
        squares = np.ones(len(table)) if metric == "cosine" else table.lengths(self._centre) ** 2
        self._norms, self._squares = (each if chosen is None else each[chosen] for each in (table.norms, squares))
        self._unit = metric == "cosine" and bool((np.abs(self._norms - 1.0) < 1e-6).all())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._squares)

    def subset(self, chosen: np.ndarray) -> SquaredDistances:
        """Return the distances between some of the rows, int64 (n,), alone."""
        return SquaredDistances(self.table, self.metric, chosen)

    def tile(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return rows, float32 (n, D), and squared lengths, float32 (n,): |a - b|^2 = |a|^2 + |b|^2 - 2 a.b."""
        rows = self.table.rows(start, stop) if self._chosen is None else self.table.gather(self._chosen[start:stop])
        if self._centre is not None:
            rows = rows - self._centre
        elif self.metric == "cosine" and not self._unit:
            rows = rows * self._on_device(1.0 / self._norms[start:stop])[:, None]
        return rows, self._on_device(self._squares[start:stop])

    def exact(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the squared distances, float64 (P,), of the pairs (left[p], right[p]), computed in float64."""
        out = np.empty(len(left))
        for start in range(0, len(left), GATHER):
            part = slice(start, start + GATHER)
            out[part] = (self._gather(left[part]) - self._gather(right[part])).square().sum(1).cpu().numpy()
        return out

    def slack(self, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return how far float32 values may lie apart though the distances are equal: 2e-6 (|a|^2 + |b|^2).

        Args:
            rows: int64 (n,).
            index: int64 (n, k), the other row of each pair.
        """
        return 2e-6 * (self._squares[rows][:, None] + self._squares[index])

    def _gather(self, index: np.ndarray) -> Tensor:
        rows = self.table.gather(index if self._chosen is None else self._chosen[index]).double()
        if self.metric == "cosine":
            rows /= torch.from_numpy(self._norms[index]).to(rows)[:, None]
        return rows

    def _on_device(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device, torch.float32)
