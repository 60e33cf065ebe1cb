"""DBSCAN on a sparse graph of distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from reidzoo.checks import number
from reidzoo.errors import ClusteringError
from reidzoo.neighbours.checks import check_whole

__all__ = ["check_radii", "dbscan", "dbscan_radii", "number_by_first"]


def dbscan(graph: sparse.csr_matrix, eps: float = 0.6, min_samples: int = 4) -> np.ndarray:
    """Cluster the nodes of ``graph`` by DBSCAN (Ester et al., KDD 1996).

    A node's neighbours are the nodes at distance <= eps, itself included; it is a core node when it has at least
    ``min_samples``. Clusters are the connected parts of the core nodes; another node that has core neighbours joins,
    of their clusters, the one whose first core node comes first, as scikit-learn's does. The comparison is made in the
    graph's own precision, so that a distance that should equal eps does so after rounding to float32.

    Args:
        graph: (N, N) symmetric, with the distances as stored entries; a missing entry is a pair farther apart than eps.
            The diagonal may be missing.
        eps: radius, above 0 and below 1; not above ``graph.max_distance`` where the graph has that attribute.
        min_samples: neighbours of a core node, itself included.

    Returns:
        int64 (N,): clusters numbered by their first member, -1 = outlier.

    Raises:
        ClusteringError: a graph that is not square, symmetric and of finite distances >= 0, or settings out of range.
    """
    return dbscan_radii(graph, [eps], min_samples)[0]


def dbscan_radii(graph: sparse.csr_matrix, radii: Sequence[float], min_samples: int = 4) -> list[np.ndarray]:
    """Return ``dbscan(graph, eps, min_samples)`` for each eps of ``radii``, for less work than separate calls."""
    check_radii(radii, min_samples, getattr(graph, "max_distance", 1.0))
    graph = checked(graph)
    labels: dict[float, np.ndarray] = {}
    edges = graph
    for eps in sorted(set(radii), reverse=True):
        edges = within(edges, eps)  # the edges of a smaller radius are among those of a larger one
        labels[eps] = cluster(edges, min_samples)
    return [labels[eps].copy() for eps in radii]


def check_radii(radii: Sequence[float], min_samples: int, reach: float = 1.0) -> None:
    """Raise ClusteringError for settings that ``dbscan`` does not take on a graph that reaches as far as ``reach``."""
    check_whole(min_samples, "min_samples")
    for eps in radii:
        if not number(above=0, below=1).accepts(eps) or eps > reach:
            raise ClusteringError(f"eps: expected a distance in (0, 1), within the graph's reach of {reach}; got {eps}")


def checked(graph: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return ``graph`` as CSR, or raise ClusteringError."""
    if not sparse.issparse(graph) or graph.ndim != 2 or graph.shape[0] != graph.shape[1] or graph.shape[0] == 0:
        raise ClusteringError(f"graph: expected a square sparse matrix, got {type(graph).__name__} {np.shape(graph)}")
    graph = graph.tocsr()
    if not graph.has_canonical_format:
        raise ClusteringError("graph: expected sorted indices without duplicates; call sum_duplicates() on it first")
    if not np.isfinite(graph.data).all() or (graph.data < 0).any():
        raise ClusteringError("graph: holds distances that are NaN, infinite or negative")
    return graph


def within(graph: sparse.csr_matrix, eps: float) -> sparse.csr_matrix:
    """Return the entries of ``graph`` at distance <= eps, zeros included."""
    keep = graph.data <= graph.dtype.type(eps) if graph.dtype.kind == "f" else graph.data <= eps
    pointer = np.concatenate([[0], np.cumsum(keep)])[graph.indptr]
    return sparse.csr_matrix((graph.data[keep], graph.indices[keep], pointer), shape=graph.shape)


def cluster(edges: sparse.csr_matrix, min_samples: int) -> np.ndarray:
    """Return the labels of DBSCAN where ``edges`` holds the pairs within eps."""
    n = edges.shape[0]
    mirrored = edges.tocsc()
    if not (np.array_equal(mirrored.indptr, edges.indptr) and np.array_equal(mirrored.indices, edges.indices)):
        raise ClusteringError("graph: not symmetric; a distance must be stored for (i, j) and for (j, i)")
    row = np.repeat(np.arange(n), np.diff(edges.indptr))
    column = edges.indices
    apart = row != column
    row, column = row[apart], column[apart]
    degree = np.bincount(row, minlength=n)
    core = degree + 1 >= min_samples
    inner = core[row] & core[column]
    links = sparse.csr_matrix((np.ones(inner.sum(), dtype=bool), (row[inner], column[inner])), shape=(n, n))
    part = number_by_first(np.where(core, connected_components(links, directed=False)[1], -1))
    labels = np.where(core, part, n)
    border = ~core[row] & core[column]
    np.minimum.at(labels, row[border], part[column[border]])
    return number_by_first(np.where(labels == n, -1, labels))


def number_by_first(labels: np.ndarray) -> np.ndarray:
    """Return ``labels`` (N,) renumbered 0, 1, ... in the order of first appearance; negative ones become -1.

    Raises:
        ClusteringError: labels that are not integers (N,).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ClusteringError(f"labels: expected integers (N,), got {labels.dtype} {labels.shape}")
    inside = labels >= 0
    _, first, inverse = np.unique(labels[inside], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    out = np.full(len(labels), -1, dtype=np.int64)
    out[inside] = rank[inverse.reshape(-1)]
    return out
