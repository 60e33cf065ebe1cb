"""k-reciprocal neighbour sets and the encodings made of them (Zhong et al., CVPR 2017), sparse throughout.

Re-ranking and the Jaccard distance of the clustering share the sets, ``expanded_sets``. They weight the members
differently, as the published code of either does: ``encode`` is the re-ranking's way,
``reidzoo.clustering.jaccard.graph`` has the other.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from reidzoo.neighbours.search import Neighbours
from reidzoo.neighbours.squared_distances import SquaredDistances

__all__ = ["encode", "expanded_sets", "membership", "reciprocal_sets"]


def membership(ranking: np.ndarray, value: np.generic) -> sparse.csr_matrix:
    """Return the (N, N) matrix with ``value`` at (i, j) for each j in row i of ``ranking``, integers (N, k)."""
    count, width = ranking.shape
    pointer = np.arange(0, count * width + 1, width)
    return sparse.csr_matrix((np.full(ranking.size, value), ranking.flatten(), pointer), shape=(count, count))


def reciprocal_sets(ranking: np.ndarray) -> sparse.csr_matrix:
    """Return R: a one, int32, at (i, j) where i and j are in each other's rows of ``ranking`` (N, k); (N, N)."""
    nearest = membership(ranking, np.int32(1))
    return nearest.multiply(nearest.T).tocsr()


def expanded_sets(ranking: np.ndarray, k1: int) -> sparse.csr_matrix:
    """Return R*: the reciprocal sets, each with the half-sized sets of those members that mostly lie in it.

    R(i, k1) are the reciprocal neighbours. R*(i) adds, for each c in R(i, k1), the set R(c, k1 / 2) if more than two
    thirds of it are in R(i, k1); the paper writes "at least", the published code and everybody's numbers "more than".

    Args:
        ranking: integers (N, k), each row's nearest rows, itself first; all k columns make the sets R(i, k1).
        k1: sets the size of R(c, k1 / 2): c itself and round(k1 / 2) neighbours, half of an odd k1 rounded to even.

    Returns:
        int32 (N, N), positive at the members; indices unsorted.
    """
    full, half = reciprocal_sets(ranking), reciprocal_sets(ranking[:, : round(k1 / 2) + 1])
    sizes = np.diff(half.indptr)
    inside = (full @ half).multiply(full).tocsr()  # |R(i, k1) and R(c, k1 / 2)|, for half is symmetric
    # In integers: more than two thirds, where floating point would have to be lucky.
    inside.data = (3 * inside.data > 2 * sizes[inside.indices]).astype(np.int32)
    inside.eliminate_zeros()
    inside.sort_indices()
    return full + inside @ half


def encode(distances: SquaredDistances, neighbours: Neighbours, k1: int, k2: int) -> sparse.csr_matrix:
    """Return the k-reciprocal encodings of the re-ranking, float32 (N, N) sparse, every row summing to 1.

    Row i holds exp(-d(i, j) / max_j d(i, j)) for j in R*(i), normalised, and then the mean of the rows of the k2
    nearest images.

    Args:
        distances: between all N images.
        neighbours: at least max(k1 + 1, k2) of them, or all, with ``farthest``.
        k1: reciprocal neighbours, the image itself not counted.
        k2: images averaged over, the image itself included.
    """
    members = expanded_sets(neighbours.index[:, : k1 + 1], k1).tocoo()
    rows, columns = members.row.astype(np.int64), members.col.astype(np.int64)
    farthest = neighbours.known_farthest()[rows]
    values = _known_distances(distances, neighbours, rows, columns)
    weights = np.exp(-np.divide(values, farthest, out=np.zeros_like(values), where=farthest > 0))
    weights /= np.bincount(rows, weights=weights, minlength=len(distances))[rows]
    codes = sparse.csr_matrix((weights.astype(np.float32), (rows, columns)), shape=members.shape)
    nearest = neighbours.index[:, :k2]
    return (membership(nearest, np.float32(1.0 / nearest.shape[1])) @ codes).tocsr()


def _known_distances(
    distances: SquaredDistances, neighbours: Neighbours, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return the distances of pairs: looked up where one is in the other's list, computed elsewhere."""
    count, width = neighbours.index.shape
    first, second = np.repeat(np.arange(count), width), neighbours.index.ravel()
    keys = np.concatenate([first * count + second, second * count + first])
    order = np.argsort(keys, kind="stable")
    wanted = rows * count + columns
    position = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    values = np.tile(neighbours.distance.ravel(), 2)[position]
    missing = np.flatnonzero(keys[position] != wanted)
    values[missing] = distances.exact(rows[missing], columns[missing])
    return values
