"""DBSCAN whose radius is found from the first epoch's distances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from torch import Tensor

from reidzoo.checks import check, number
from reidzoo.clustering import ClusteringError, dbscan, jaccard_graph
from reidzoo.clustering.jaccard.graph import check_settings
from reidzoo.neighbours.checks import check_whole
from reidzoo.registry import CLUSTERER

__all__ = ["AdaptiveDBSCAN"]


@CLUSTERER.register_module()
class AdaptiveDBSCAN:
    """DBSCAN on the k-reciprocal Jaccard distance with eps = the mean of the smallest ``share`` of all distances.

    The rule of MMT's DBSCAN variant, after Song et al. (Pattern Recognition 2020): of the non-zero distances between
    two images, those at 1 counted too, the smallest ``share`` are averaged. eps is fixed by the first call and is part
    of the state.

    Args:
        k1: neighbours of the reciprocal sets, without the image itself.
        k2: neighbours of the local query expansion.
        share: in (0, 1].
        min_samples: neighbours of a core image, itself included.

    Raises:
        ConfigError: ``share`` is not a finite number.
        ClusteringError: settings out of their ranges.
    """

    on_device = True

    def __init__(self, k1: int = 20, k2: int = 6, share: float = 1.6e-3, min_samples: int = 4) -> None:
        check(self, number(), share=share)
        if not 0 < share <= 1:
            raise ClusteringError(f"share: expected a number in (0, 1], got {share}")
        check_settings(k1, k2)
        check_whole(min_samples, "min_samples")
        self.k1, self.k2, self.share, self.min_samples = k1, k2, share, min_samples
        self.eps: float | None = None

    def fit_predict(self, features: Tensor | np.ndarray) -> np.ndarray:
        """Return the labels of ``features`` (N, D): int64 (N,), numbered by first member, -1 = outlier.

        Raises:
            ClusteringError: see ``jaccard_graph`` and ``dbscan``; or no two images share a neighbour, or all of them
                coincide, so that there is no radius.
        """
        reach = 1.0 if self.eps is None else self.eps
        graph = jaccard_graph(features, self.k1, self.k2, max_distance=reach, count_self=False)
        if self.eps is None:
            self.eps = mean_of_smallest(graph, self.share)
        return dbscan(graph, self.eps, self.min_samples)

    def state_dict(self) -> dict[str, float | None]:
        """Return what a resumed run needs: eps, None before it is fixed."""
        return {"eps": self.eps}

    def load_state_dict(self, state: Mapping[str, float | None]) -> None:
        """Take eps from ``state_dict()`` of an earlier run."""
        self.eps = None if state["eps"] is None else float(state["eps"])


def mean_of_smallest(graph: sparse.csr_matrix, share: float) -> float:
    """Return the mean of the smallest ``share`` of the non-zero distances of all pairs; a missing pair is at 1.

    Raises:
        ClusteringError: that mean is not in (0, 1).
    """
    pairs = sparse.triu(graph, k=1).data
    number = graph.shape[0] * (graph.shape[0] - 1) // 2 - int((pairs == 0).sum())
    count = round(share * number)
    smallest = np.sort(pairs[pairs > 0])[:count].astype(np.float64)
    mean = (smallest.sum() + (count - len(smallest))) / max(count, 1)
    if not 0 < mean < 1:
        raise ClusteringError(
            f"share: the mean of the smallest {share:.2%} of {number:,} distances is {mean:.3f}, and a radius must be "
            f"in (0, 1); set another share, or cluster with JaccardDBSCAN"
        )
    return float(mean)
