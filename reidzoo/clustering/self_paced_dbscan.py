"""SpCL's self-paced clustering."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from reidzoo.checks import FLAG, check, number
from reidzoo.clustering.dbscan import check_radii, dbscan_radii
from reidzoo.clustering.jaccard.graph import check_settings, jaccard_graph
from reidzoo.clustering.reliability import independence_threshold, reliability, self_paced_filter
from reidzoo.errors import ClusteringError
from reidzoo.registry import CLUSTERER

__all__ = ["SelfPacedDBSCAN"]


@CLUSTERER.register_module()
class SelfPacedDBSCAN:
    """DBSCAN on the k-reciprocal Jaccard distance, kept only where it is reliable (SpCL, Ge et al., NeurIPS 2020).

    Clusters are formed at eps, at eps - eps_gap (tight) and at eps + eps_gap (loose). An image keeps its cluster when
    the cluster is independent (R_indep at most T) and the image is in its compact part; the others become outliers.
    T is fixed by the first call that finds a cluster of more than one image, and is part of the state.

    Args:
        k1: neighbours of the reciprocal sets.
        k2: neighbours of the local query expansion.
        eps: DBSCAN's radius, a Jaccard distance in (0, 1).
        eps_gap: difference of the tight and the loose radius from eps.
        min_samples: neighbours of a core image, itself included.
        count_self: see ``jaccard_graph``.

    Raises:
        ConfigError: ``eps`` or ``eps_gap`` is not a finite number, or ``count_self`` is neither true nor false.
        ClusteringError: settings out of their ranges.
    """

    on_device = True

    def __init__(
        self,
        k1: int = 30,
        k2: int = 6,
        eps: float = 0.6,
        eps_gap: float = 0.02,
        min_samples: int = 4,
        count_self: bool = True,
    ) -> None:
        check(self, number(), eps=eps, eps_gap=eps_gap)
        check(self, FLAG, count_self=count_self)
        check_settings(k1, k2)
        check_radii([eps - eps_gap, eps + eps_gap], min_samples)
        if eps_gap < 0:
            raise ClusteringError(f"eps_gap: expected at least 0, got {eps_gap}")
        self.k1, self.k2, self.eps, self.eps_gap = k1, k2, eps, eps_gap
        self.min_samples, self.count_self = min_samples, count_self
        self.threshold: float | None = None

    def fit_predict(self, features: Tensor | np.ndarray) -> np.ndarray:
        """Return the reliable labels of ``features`` (N, D): int64 (N,), numbered by first member, -1 = outlier.

        Raises:
            ClusteringError: see ``jaccard_graph`` and ``dbscan``.
        """
        radii = [self.eps, self.eps - self.eps_gap, self.eps + self.eps_gap]
        graph = jaccard_graph(features, self.k1, self.k2, max_distance=max(radii), count_self=self.count_self)
        labels, tight, loose = dbscan_radii(graph, radii, self.min_samples)
        scores = reliability(labels, tight, loose)
        if self.threshold is None:
            self.threshold = independence_threshold(labels, scores.independence)
        if self.threshold is None:
            return labels  # every image is an outlier already, or alone in its cluster
        return self_paced_filter(labels, scores, self.threshold)

    def state_dict(self) -> dict[str, float | None]:
        """Return what a resumed run needs: the independence threshold T, None before it is fixed."""
        return {"threshold": self.threshold}

    def load_state_dict(self, state: dict[str, float | None]) -> None:
        """Take the threshold from ``state_dict()`` of an earlier run.

        Raises:
            ClusteringError: keys other than ``threshold``.
        """
        if set(state) != {"threshold"}:
            raise ClusteringError(f"SelfPacedDBSCAN: expected a state with 'threshold' alone, got {sorted(state)}")
        self.threshold = None if state["threshold"] is None else float(state["threshold"])
