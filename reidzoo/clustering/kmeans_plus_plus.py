"""Where K-means begins: k-means++."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.neighbours.distances import exact_matmul

TILE = 2048  # rows whose distances are computed at a time
DRAWS = 256  # rows drawn at most before the distances are brought up to date


def plus_plus(rows: Tensor, count: int, group: np.ndarray, generator: np.random.Generator) -> Tensor:
    """Return the indices of ``count`` different rows, drawn as k-means++ does (Arthur and Vassilvitskii, SODA 2007).

    The first is drawn uniformly, each other with a probability proportional to its squared distance from the nearest
    drawn so far. To draw many in one pass over the rows, candidates are drawn by distances that are out of date, which
    can only be too large, and accepted with the probability (distance now) / (distance then): the same distribution.

    Args:
        rows: (N, D) float32.
        count: rows to draw, at most as many as differ.
        group: int64 (N,), the same number for equal rows.
        generator: of the draws.
    """
    squares, centre = squared_lengths(rows)
    chosen = [int(generator.integers(len(rows)))]
    nearest = np.full(len(rows), np.inf)
    fresh = 0
    while len(chosen) < count:
        nearest = np.minimum(nearest, to_nearest(rows, rows[chosen[fresh:]], squares, centre))
        # Float32 may put two different rows at no distance. They can still be drawn; equal ones never.
        weight = np.maximum(nearest, max(nearest.max() * 1e-12, np.finfo(np.float64).tiny))
        weight[np.isin(group, group[chosen])] = 0.0
        fresh = len(chosen)
        accept(rows, weight, group, chosen, count, generator)
    return torch.tensor(chosen, device=rows.device)


def accept(
    rows: Tensor, weight: np.ndarray, group: np.ndarray, chosen: list[int], count: int, generator: np.random.Generator
) -> None:
    """Draw candidates by ``weight`` and append to ``chosen`` those that the distances between them let stand."""
    total = np.cumsum(weight)
    draws = min(len(chosen), DRAWS)
    # Below the total, whatever rounding does, lies a row of some weight.
    place = np.minimum(generator.random(draws) * total[-1], np.nextafter(total[-1], 0.0))
    candidates = np.searchsorted(total, place, side="right")
    limits = generator.random(draws) * weight[candidates]
    features = rows[torch.from_numpy(candidates).to(rows.device)].double()
    apart = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist").square().cpu().numpy()
    accepted: list[int] = []
    for i, candidate in enumerate(candidates):
        now = min(weight[candidate], apart[i, accepted].min(initial=np.inf))
        if limits[i] < now and len(chosen) < count and not np.isin(group[candidate], group[candidates[accepted]]):
            accepted.append(i)
            chosen.append(int(candidate))


def squared_lengths(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared lengths of ``rows`` about their mean, float64 (N,), and that mean, float64 (D,)."""
    centre = sum(tile.double().sum(dim=0) for tile in rows.split(TILE)) / len(rows)
    return torch.cat([(tile.double() - centre).square().sum(dim=1) for tile in rows.split(TILE)]), centre


def to_nearest(rows: Tensor, points: Tensor, squares: Tensor, centre: Tensor) -> np.ndarray:
    """Return the squared distance from each of ``rows`` to the nearest of ``points``, float64 (N,), to float32's error.

    Args:
        rows: (N, D) float32.
        points: (P, D) float32.
        squares: as ``squared_lengths`` gives them, like ``centre``.
    """
    points = points.double() - centre
    bias = points.square().sum(dim=1) + 2 * (points @ centre)
    points, bias = points.float(), bias.float()
    with exact_matmul(rows.device):
        least = torch.cat([torch.addmm(bias, tile, points.T, alpha=-2).amin(dim=1) for tile in rows.split(TILE)])
    return (least.double() + squares).clamp(min=0).cpu().numpy()
