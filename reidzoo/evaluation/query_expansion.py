"""Average query expansion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from reidzoo.checks import number
from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.checks import check_count
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["average_query_expansion"]


def average_query_expansion(
    query_features: Any,
    gallery_features: Any,
    k: int = 5,
    *,
    alpha: float = 0.0,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Replace every query by the mean of itself and its ``k`` nearest gallery images, L2-normalised.

    q' = q + sum_{g in kNN(q)} max(cos(q, g), 0)^alpha g over unit vectors, divided by its length. alpha = 0 is average
    query expansion (Chum et al., ICCV 2007), alpha = 3 that of Radenovic et al., TPAMI 2019.

    Args:
        query_features: (Q, D) numpy array (memory-mapped or not), torch tensor, or nested list.
        gallery_features: (G, D), likewise.
        k: neighbours averaged with the query; no more than G are.
        alpha: exponent of the cosine in the weights, at least 0.
        device: where distances are computed.

    Returns:
        float32 (Q, D), rows of length 1.

    Raises:
        EvaluationInputError: (a ValueError) features that have no cosine, k below 1 or alpha below 0, or an average of
            length zero.
    """
    check_expansion(k, alpha)
    query = FeatureTable(query_features, "query_features", device)
    gallery = FeatureTable(gallery_features, "gallery_features", device)
    source = FeatureDistances(query, gallery, "cosine")
    block = source.new_block()
    out = np.empty((len(query), query.dim), dtype=np.float32)
    for start in range(0, len(query), len(block)):
        stop = min(start + len(block), len(query))
        source.fill(start, block)
        values, index = torch.topk(block[: stop - start, : len(gallery)], min(k, len(gallery)), dim=1, largest=False)
        total = query.rows(start, stop).double()
        total = total / total.norm(dim=1, keepdim=True)
        for column in range(index.shape[1]):
            neighbour = gallery.gather(index[:, column].cpu().numpy()).double()
            weight = (-values[:, column]).clamp(min=0).double() ** alpha
            total += neighbour * (weight / neighbour.norm(dim=1))[:, None]
        length = total.norm(dim=1, keepdim=True)
        if not bool((length > 1e-6).all()):
            raise EvaluationInputError("query_features: a query and its neighbours cancel out; lower k.")
        out[start:stop] = (total / length).cpu().numpy()
    return out


def check_expansion(k: int, alpha: float) -> None:
    """Complain unless ``k`` is at least 1 and ``alpha`` at least 0.

    Raises:
        EvaluationInputError: one is not.
    """
    check_count(k, "k")
    if not number(0, math.inf).accepts(alpha):
        raise EvaluationInputError(f"alpha={alpha!r}: expected a number of at least 0.")
