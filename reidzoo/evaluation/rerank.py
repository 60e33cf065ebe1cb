"""k-reciprocal re-ranking (Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from reidzoo.checks import PROBABILITY
from reidzoo.errors import EvaluationInputError
from reidzoo.neighbours.checks import check_choice, check_count
from reidzoo.neighbours.distances import METRICS, DistanceSource, FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.k_reciprocal import encode
from reidzoo.neighbours.search import nearest_neighbours
from reidzoo.neighbours.squared_distances import SquaredDistances

__all__ = ["KReciprocal", "KReciprocalDistances", "jaccard_distances", "rerank_k_reciprocal"]


@dataclass(frozen=True)
class KReciprocal:
    """The settings of k-reciprocal re-ranking.

    Attributes:
        k1: neighbours among which reciprocity is looked for (the image itself not counted).
        k2: neighbours, the image itself included, whose encodings are averaged; 1 switches that off.
        lambda_: weight of the original distance in [0, 1]; 1 - lambda_ is the Jaccard distance's.

    Raises:
        EvaluationInputError: k1 or k2 below 1, or lambda_ outside [0, 1].
    """

    k1: int = 20
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        check_count(self.k1, "k1")
        check_count(self.k2, "k2")
        if not PROBABILITY.accepts(self.lambda_):
            raise EvaluationInputError(f"lambda_={self.lambda_!r}: the original distance's weight lies in [0, 1].")

    def distances(self, query: FeatureTable, gallery: FeatureTable, metric: str = "cosine") -> KReciprocalDistances:
        """Encode all images and return the re-ranked distances, block by block."""
        return KReciprocalDistances(query, gallery, self, metric)


def rerank_k_reciprocal(
    query_features: Any,
    gallery_features: Any,
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    *,
    metric: str = "cosine",
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Return the re-ranked distances of all queries and gallery images, float32 (Q, G).

    d* = (1 - lambda) d_J + lambda d / max(d), with d the squared Euclidean distance, for each query divided by the
    greatest from it to any query or gallery image, and d_J the Jaccard distance of the k-reciprocal encodings.
    It follows the paper as its published code does (see ``reidzoo.neighbours.k_reciprocal``). What that leaves open: an
    image is always its own first neighbour; equal distances are ordered by index, queries first; where all images are
    alike, d / max(d) is 0; neighbour lists end at the number of images, so any k1 and k2 are taken.

    Sparse throughout: besides the answer it takes some hundred bytes per image and neighbour. Where even (Q, G) is too
    much, ``evaluate_ranking(..., rerank=KReciprocal(k1, k2, lambda_))`` ranks block by block.

    Args:
        query_features: (Q, D) numpy array (memory-mapped or not), torch tensor, or nested list.
        gallery_features: (G, D), likewise.
        k1: reciprocal neighbours.
        k2: neighbours averaged over.
        lambda_: weight of the original distance.
        metric: ``cosine`` (d = 2 - 2 cos) or ``euclidean`` (features as they are).
        device: where distances are computed.

    Raises:
        EvaluationInputError: (a ValueError) features or settings that cannot be used.
    """
    settings = KReciprocal(k1, k2, lambda_)
    query = FeatureTable(query_features, "query_features", device)
    gallery = FeatureTable(gallery_features, "gallery_features", device)
    source = settings.distances(query, gallery, metric)
    block = source.new_block()
    out = np.empty((len(query), len(gallery)), dtype=np.float32)
    for start in range(0, len(query), len(block)):
        source.fill(start, block)
        stop = min(start + len(block), len(query))
        out[start:stop] = block[: stop - start, : len(gallery)].cpu().numpy()
    return out


class KReciprocalDistances(DistanceSource):
    """Computes re-ranked distances block by block; see ``rerank_k_reciprocal``.

    Args:
        query: Q rows.
        gallery: G rows.
        settings: k1, k2 and lambda.
        metric: of the original distances.

    Raises:
        EvaluationInputError: features that cannot be used.
    """

    def __init__(self, query: FeatureTable, gallery: FeatureTable, settings: KReciprocal, metric: str) -> None:
        check_choice(metric, "metric", METRICS)
        self._original = FeatureDistances(query, gallery, metric)
        self.num_queries, self.num_gallery = len(query), len(gallery)
        self.device, self.metric = gallery.device, f"{metric} re-ranked"
        self._lambda, self._cosine = settings.lambda_, metric == "cosine"
        distances = SquaredDistances(FeatureTable.joined([query, gallery], "features"), metric)
        neighbours = nearest_neighbours(distances, max(settings.k1 + 1, settings.k2), farthest=True)
        codes = encode(distances, neighbours, settings.k1, settings.k2)
        self._query_codes = codes[: len(query)]
        self._gallery_codes = codes[len(query) :].tocsc()
        farthest = neighbours.known_farthest()[: len(query)]
        self._scale = np.divide(1.0, farthest, out=np.zeros(len(query), np.float32), where=farthest > 0)

    def fill(self, start: int, out: torch.Tensor) -> None:
        """Write (1 - lambda) d_J + lambda d / max(d); see the base class."""
        stop = min(start + len(out), self.num_queries)
        self._original.fill(start, out)
        out = out[: stop - start]
        if self._cosine:
            out.mul_(2.0).add_(2.0)  # from -cos to the squared distance 2 - 2 cos
        out.mul_(torch.from_numpy(self._lambda * self._scale[start:stop]).to(out)[:, None])
        for first in range(start, stop, 64):
            last = min(first + 64, stop)
            jaccard = jaccard_distances(self._query_codes[first:last], self._gallery_codes) * (1 - self._lambda)
            out[first - start : last - start, : self.num_gallery] += torch.from_numpy(jaccard).to(out)

    def limits(self) -> tuple[float, float]:
        """Return 0 and 1."""
        return 0.0, 1.0


def jaccard_distances(rows: sparse.csr_matrix, gallery: sparse.csc_matrix) -> np.ndarray:
    """Return 1 - m / (2 - m), m = sum_j min(V_qj, V_gj), float32 (B, G), for rows that sum to 1.

    Args:
        rows: B encodings.
        gallery: G encodings, by column.
    """
    count, first = np.diff(gallery.indptr)[rows.indices], gallery.indptr[rows.indices].astype(np.int64)
    entries = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    row = np.repeat(np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), count)
    minimum = np.minimum(gallery.data[entries], np.repeat(rows.data, count))
    cells = row * gallery.shape[0] + gallery.indices[entries]
    shared = np.bincount(cells, weights=minimum, minlength=rows.shape[0] * gallery.shape[0])
    return (1.0 - shared / (2.0 - shared)).astype(np.float32).reshape(rows.shape[0], gallery.shape[0])
