"""Chooses the first centres of K-means: greedy k-means++."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from reidzoo.neighbours.distances import exact_matmul

__all__ = ["KMeansPlusPlus"]

TILE = 2048  # rows whose distances are computed at a time
POOL = 256  # candidates drawn at most before the distances are brought up to date
ENTRIES = 1 << 24  # distances of a pool held at most, 4 bytes each, where that leaves candidates for one centre


class KMeansPlusPlus:
    """Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007, section 6), as scikit-learn's ``KMeans`` begins.

    The first row is drawn uniformly. For each other, 2 + floor(ln K) candidates are drawn with probabilities
    proportional to the squared distance from the nearest row chosen so far, and the one is chosen that leaves the least
    sum of these distances.

    To compare many candidates with all rows in one matrix product, a pool of them is drawn by distances that get out of
    date as rows are chosen. Those can only be too large: a candidate stands with the probability (distance now) /
    (distance then), and the candidates that stand have the distribution of fresh ones.

    Args:
        rows: (N, D) float32, on any device, where the distances are computed.
        group: int64 (N,), the same number for equal rows.
        generator: of the draws.
    """

    def __init__(self, rows: Tensor, group: np.ndarray, generator: np.random.Generator) -> None:
        self.rows, self.group, self.generator = rows, group, generator
        self.centre = (sum(tile.double().sum(dim=0) for tile in rows.split(TILE)) / len(rows)).float()
        self.squares = torch.cat([(tile - self.centre).square().sum(dim=1) for tile in rows.split(TILE)])

    def draw(self, count: int) -> Tensor:
        """Return the indices of K = ``count`` rows, at most as many as differ: int64 (K,), on the rows' device."""
        self.chosen = [int(self.generator.integers(len(self.rows)))]
        self.nearest = self.distances(self.rows[self.chosen])[0]
        trials = 2 + int(math.log(count))
        while len(self.chosen) < count:
            size = max(trials, min(POOL, ENTRIES // len(self.rows), trials * len(self.chosen)))
            self._choose(*self._pool(size), trials, count)
        return torch.tensor(self.chosen, device=self.rows.device)

    def distances(self, points: Tensor) -> Tensor:
        """Return the squared distances from ``points`` (P, D) to all rows, float32 (P, N), to float32's error."""
        points = points - self.centre
        lengths = points.square().sum(dim=1, keepdim=True)
        distances = torch.empty((len(points), len(self.rows)), dtype=torch.float32, device=self.rows.device)
        tiles = zip(self.rows.split(TILE), self.squares.split(TILE), distances.split(TILE, dim=1))
        with exact_matmul(self.rows.device):
            for tile, squares, out in tiles:
                out.copy_(torch.addmm(squares, points, (tile - self.centre).T, alpha=-2).add_(lengths))
        return distances.clamp_(min=0)

    def _pool(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``size`` candidates, and for each the weight that it must have when its turn comes."""
        # Float32 may put two different rows at no distance. They can still be drawn; equal ones never.
        self.floor = max(float(self.nearest.max()) * 1e-12, np.finfo(np.float64).tiny)
        weights = self._weights(np.arange(len(self.rows)))
        total = np.cumsum(weights)
        # Below the total, whatever rounding does, lies a row of some weight.
        place = np.minimum(self.generator.random(size) * total[-1], np.nextafter(total[-1], 0.0))
        pool = np.searchsorted(total, place, side="right")
        return pool, self.generator.random(size) * weights[pool]

    def _weights(self, index: np.ndarray) -> np.ndarray:
        """Return what the rows at ``index`` are drawn by, float64: a distance, 0 where an equal row is chosen."""
        near = self.nearest[torch.from_numpy(index).to(self.rows.device)].double().cpu().numpy()
        return np.where(np.isin(self.group[index], self.group[self.chosen]), 0.0, np.maximum(near, self.floor))

    def _choose(self, pool: np.ndarray, limits: np.ndarray, trials: int, count: int) -> None:
        """Choose one row, and as many more as the pool has candidates that stand, ``trials`` for each."""
        distances = self.distances(self.rows[torch.from_numpy(pool).to(self.rows.device)])
        first = 0
        while len(self.chosen) < count:
            standing = first + np.flatnonzero(limits[first:] < self._weights(pool[first:]))[:trials]
            if len(standing) < trials:
                return
            first = int(standing[-1]) + 1
            left = torch.minimum(distances[torch.from_numpy(standing).to(self.rows.device)], self.nearest)
            best = int(left.sum(dim=1, dtype=torch.float64).argmin())
            self.chosen.append(int(pool[standing[best]]))
            self.nearest = left[best]
