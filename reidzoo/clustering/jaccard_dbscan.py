"""DBSCAN on the k-reciprocal Jaccard distance."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from reidzoo.checks import FLAG, check, number
from reidzoo.clustering.dbscan import check_radii, dbscan
from reidzoo.clustering.jaccard.graph import check_settings, jaccard_graph
from reidzoo.registry import CLUSTERER

__all__ = ["JaccardDBSCAN"]


@CLUSTERER.register_module()
class JaccardDBSCAN:
    """DBSCAN on the k-reciprocal Jaccard distance, the clustering of most pseudo-label methods.

    Args:
        k1: neighbours of the reciprocal sets.
        k2: neighbours of the local query expansion.
        eps: DBSCAN's radius, a Jaccard distance in (0, 1).
        min_samples: neighbours of a core image, itself included.
        count_self: see ``jaccard_graph``.

    Raises:
        ConfigError: ``eps`` is not a finite number, or ``count_self`` is neither true nor false.
        ClusteringError: settings out of their ranges.
    """

    on_device = True

    def __init__(
        self, k1: int = 30, k2: int = 6, eps: float = 0.6, min_samples: int = 4, count_self: bool = True
    ) -> None:
        check(self, number(), eps=eps)
        check(self, FLAG, count_self=count_self)
        check_settings(k1, k2)
        check_radii([eps], min_samples)
        self.k1, self.k2, self.eps, self.min_samples, self.count_self = k1, k2, eps, min_samples, count_self

    def fit_predict(self, features: Tensor | np.ndarray) -> np.ndarray:
        """Return the labels of ``features`` (N, D): int64 (N,), numbered by first member, -1 = outlier.

        Raises:
            ClusteringError: see ``jaccard_graph`` and ``dbscan``.
        """
        graph = jaccard_graph(features, self.k1, self.k2, max_distance=self.eps, count_self=self.count_self)
        return dbscan(graph, self.eps, self.min_samples)
