"""Exact nearest neighbours by cosine similarity, as the clustering asks for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.clustering.checks import check_whole
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.features import normalised
from reidzoo.neighbours.search import Neighbours
from reidzoo.neighbours.search import nearest_neighbours as search
from reidzoo.neighbours.squared_distances import SquaredDistances


def nearest_neighbours(features: Tensor | np.ndarray, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` nearest rows to each row by cosine similarity, exactly and without an N x N matrix.

    A row's first neighbour is always itself; the others follow by (similarity falling, index rising), so that ties do
    not depend on the order of the work. ``reidzoo.neighbours.search`` says how.

    Args:
        features: (N, D) on any device; the work is done there.
        k: neighbours to find, the row itself included; capped at N.

    Returns:
        ``(indices, similarities)``: int64 and float32, both (N, min(k, N)), on the device of ``features``.

    Raises:
        ClusteringError: k below 1, or features as ``reidzoo.neighbours.features.normalised`` says.
    """
    check_whole("k", k)
    rows = normalised(features)
    found = neighbours_of_normalised(rows, k)
    return torch.from_numpy(found.index).to(rows.device), 1 - torch.from_numpy(found.distance).to(rows.device) / 2


def neighbours_of_normalised(rows: Tensor, k: int) -> Neighbours:
    """Do the work of ``nearest_neighbours`` for rows that are float32 and L2-normalised already."""
    return search(SquaredDistances(FeatureTable(rows, "features", rows.device), "cosine"), k)
