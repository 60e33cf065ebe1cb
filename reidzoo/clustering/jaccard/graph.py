"""The k-reciprocal Jaccard distance as a sparse graph."""

from __future__ import annotations

import warnings
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import repeat

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from reidzoo.checks import number
from reidzoo.clustering.jaccard.all_pairs import SplitTree
from reidzoo.clustering.jaccard.near_pairs import ROWS, near_pairs
from reidzoo.errors import ClusteringError
from reidzoo.neighbours.checks import check_whole
from reidzoo.neighbours.features import normalised
from reidzoo.neighbours.k_reciprocal import expanded_sets, membership, reciprocal_sets
from reidzoo.neighbours.search import neighbours_of_normalised

__all__ = ["check_settings", "jaccard_graph"]

MOST = 8192  # rows that may share a neighbour
NEAR = 0.8  # up to this distance, near pairs are so few that summing over them alone is faster
SNAP = 1e-12  # a distance below this is a zero that rounding has moved


def jaccard_graph(
    features: Tensor | np.ndarray,
    k1: int = 30,
    k2: int = 6,
    max_distance: float = 1.0,
    count_self: bool = True,
) -> sparse.csr_matrix:
    """Return the k-reciprocal Jaccard distances (Zhong et al., CVPR 2017) between N features as a sparse graph.

    With R(i, k) the rows j that are among i's k nearest and have i among theirs: R(i, k1) is expanded by R(j, k1 / 2)
    of each member j when more than two thirds of that set lie in the unexpanded R(i, k1); V_i is the softmax of
    -(2 - 2 cos) over the expanded set; each V_i is replaced by the mean of V over i's first k2 neighbours; and

        d(i, j) = 1 - m / (2 - m),   m = sum_c min(V_ic, V_jc).

    Pairs that share no neighbour have distance 1 and are not stored. Neighbours are searched in float32, ties broken
    by index after the image itself; m is summed in float64 and d rounded once, to float32. No array has N x N elements.

    Args:
        features: (N, D), numpy or torch, on any device; L2-normalised here. Neighbours are searched on its device.
        k1: neighbours of the reciprocal sets.
        k2: neighbours of the local query expansion; 1 leaves V as it is.
        max_distance: pairs farther apart than this are not stored either; the largest eps of DBSCAN is enough.
        count_self: True counts the image itself among the k1, as the code of SpCL and DomainMix does; False takes k1
            neighbours besides itself, as Zhong et al. do. The half set has round(k1 / 2) besides itself in both.

    Returns:
        csr_matrix (N, N) of float32 distances, symmetric, indices sorted; a missing entry means ``> max_distance``, or
        1 where that is 1. A distance of 0, the diagonal among them, is a stored entry. The attribute ``max_distance``
        tells ``dbscan`` how far the graph reaches.

    Raises:
        ClusteringError: features that are not a finite matrix without zero rows, k1 < 1, k2 outside [1, k1],
            max_distance outside (0, 1], or thousands of images that share a neighbour, as copies of one do.
    """
    check_settings(k1, k2, max_distance)
    weights, order = ordered_weights(normalised(features), k1, k2, count_self)
    graph = permuted(distances(weights, max_distance), inverse(order), order)
    vars(graph)["max_distance"] = float(max_distance)
    return graph


def check_settings(k1: int, k2: int, max_distance: float = 1.0) -> None:
    """Raise ClusteringError for settings outside their ranges."""
    check_whole(k1, "k1")
    check_whole(k2, "k2")
    if k2 > k1:
        raise ClusteringError(f"expected k2 of at most k1, got k1={k1}, k2={k2}; lower k2 with k1")
    if not number(above=0, most=1).accepts(max_distance):
        raise ClusteringError(f"max_distance: expected a distance in (0, 1], got {max_distance}")


def ordered_weights(rows: Tensor, k1: int, k2: int, count_self: bool) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return V (N, N) with its rows and columns in an order that the work on it runs well in, and that order (N,).

    What one row of V looks up is then often still in the cache for the next.

    Args:
        rows: (N, D) float32, L2-normalised.
        k1: as for ``jaccard_graph``, like the others.
    """
    ranking = neighbours_of_normalised(rows, k1 if count_self else k1 + 1).index.astype(np.int32)
    order = locality_order(ranking)
    return permuted(neighbourhood_weights(rows, ranking, k1, k2), order, inverse(order)), order


def neighbourhood_weights(rows: Tensor, ranking: np.ndarray, k1: int, k2: int) -> sparse.csr_matrix:
    """Return V after the local query expansion: (N, N) float64 of about 2 k1 entries a row, each row's sum 1.

    Args:
        rows: (N, D) float32, L2-normalised.
        ranking: int32 (N, k), each row's nearest rows, itself first.
        k1: neighbours of the reciprocal sets, which sets the half set.
        k2: neighbours of the local query expansion.
    """
    members = expanded_sets(ranking, k1)
    members.sort_indices()
    weights = softmax_weights(rows, members)
    if k2 > 1:
        weights = membership(ranking[:, :k2], np.float64(1)) @ weights
        weights.data /= min(k2, ranking.shape[1])
    weights.sort_indices()
    return weights


def softmax_weights(rows: Tensor, pattern: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the matrix with softmax_j(-(2 - 2 cos(i, j))) over each row's ``pattern``, float64."""
    weights = np.exp(2.0 * pair_similarities(rows, pattern).astype(np.float64) - 2.0)
    totals = np.add.reduceat(weights, pattern.indptr[:-1])  # no row is empty: each holds itself
    weights /= np.repeat(totals, np.diff(pattern.indptr))
    return sparse.csr_matrix((weights, pattern.indices, pattern.indptr), shape=pattern.shape)


def pair_similarities(rows: Tensor, pattern: sparse.csr_matrix) -> np.ndarray:
    """Return the float32 inner product of rows i and j for each (i, j) of ``pattern``, in its order."""
    if rows.device.type == "cpu":
        return sampled_products(rows, pattern)
    n = len(rows)
    first = torch.from_numpy(np.repeat(np.arange(n), np.diff(pattern.indptr)))
    second = torch.from_numpy(pattern.indices.astype(np.int64))
    chunk = max(1, (1 << 26) // rows.shape[1])
    parts = [
        (rows[a.to(rows.device)] * rows[b.to(rows.device)]).sum(dim=1).cpu()
        for a, b in zip(first.split(chunk), second.split(chunk))
    ]
    return torch.cat(parts).numpy()


def sampled_products(rows: Tensor, pattern: sparse.csr_matrix) -> np.ndarray:
    """Compute ``pair_similarities`` on the CPU without copying any row."""
    n = len(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its CSR tensors beta, and says that it does not check this one
        pattern_tensor = torch.sparse_csr_tensor(
            torch.from_numpy(pattern.indptr.astype(np.int64)),
            torch.from_numpy(pattern.indices.astype(np.int64)),
            torch.zeros(pattern.nnz, dtype=torch.float32),
            size=(n, n),
        )
        return torch.sparse.sampled_addmm(pattern_tensor, rows, rows.T, beta=0.0).values().numpy()


def locality_order(ranking: np.ndarray) -> np.ndarray:
    """Return an order of the rows of ``ranking`` (N, k), int32 (N,), that puts rows of common neighbours together.

    Rows are sorted by the connected parts of their reciprocal sets, of few neighbours within those of more.
    """
    keys: list[np.ndarray] = [np.arange(len(ranking))]
    size = 2
    while size <= ranking.shape[1]:
        keys.append(connected_components(reciprocal_sets(ranking[:, :size]), directed=False)[1])
        size *= 2
    return np.lexsort(keys).astype(np.int32)


def distances(weights: sparse.csr_matrix, max_distance: float) -> sparse.csr_matrix:
    """Return the Jaccard distances up to ``max_distance`` (below 1 where that is 1) between the rows of V.

    Raises:
        ClusteringError: a column that more than MOST rows share, which alone makes MOST^2 pairs.
    """
    owners = int(np.bincount(weights.indices).max())
    if owners > MOST:
        raise ClusteringError(
            f"features: {owners} of {weights.shape[0]} images share a neighbour, and so every pair of them a distance, "
            f"where {MOST} is the most. Thousands of copies of an image, or a model whose features have collapsed, "
            f"do this: remove the copies, or look at the model."
        )
    work = near_distances if max_distance <= NEAR else all_distances
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return work(weights, max_distance, pool)


def near_distances(weights: sparse.csr_matrix, max_distance: float, pool: Executor) -> sparse.csr_matrix:
    """Compute ``distances`` by summing over the near pairs alone."""
    n = weights.shape[0]
    least = 2.0 * (1.0 - max_distance) / (2.0 - max_distance) - 1e-6  # the sum at that distance, less some room
    i, j, sums = near_pairs(weights, least, pool)
    distance, keep = rounded(sums, max_distance)
    i, j, distance = i[keep], j[keep], distance[keep]
    itself = np.arange(n, dtype=np.int32)
    rows, columns = np.concatenate([i, j, itself]), np.concatenate([j, i, itself])
    data = np.concatenate([distance, distance, np.zeros(n, dtype=np.float32)])
    return sparse.csr_matrix((data, (rows, columns)), shape=(n, n))


def all_distances(weights: sparse.csr_matrix, max_distance: float, pool: Executor) -> sparse.csr_matrix:
    """Compute ``distances`` by summing over all pairs that share a column."""
    n = weights.shape[0]
    tree = SplitTree(weights)
    starts = range(0, n, ROWS)
    pieces: list[list[sparse.csr_matrix]] = [[] for _ in starts]
    for block in tree.blocks():

        def work(start: int, lists: sparse.csr_matrix) -> sparse.csr_matrix:
            sums = tree.sums(slice(start, min(start + ROWS, n)), lists)
            distance, keep = rounded(sums.data, max_distance)
            entries = np.flatnonzero(keep)
            pointer = np.searchsorted(entries, sums.indptr)
            return sparse.csr_matrix((distance[entries], sums.indices[entries], pointer), shape=sums.shape)

        for row, piece in zip(pieces, pool.map(work, starts, repeat(tree.lists(block)))):
            row.append(piece)
    return sparse.vstack([disjoint_sum(row) for row in pieces], format="csr")


def rounded(sums: np.ndarray, max_distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of sums of minima, float32, and which are to be kept."""
    distance = 1.0 - sums / (2.0 - sums)
    distance[distance < SNAP] = 0.0
    distance = distance.astype(np.float32)
    return distance, distance < 1.0 if max_distance == 1.0 else distance <= np.float32(max_distance)


def inverse(order: np.ndarray) -> np.ndarray:
    """Return the permutation that undoes ``order``."""
    position = np.empty_like(order)
    position[order] = np.arange(len(order), dtype=order.dtype)
    return position


def permuted(matrix: sparse.csr_matrix, rows: np.ndarray, columns: np.ndarray) -> sparse.csr_matrix:
    """Return the matrix whose row r is row ``rows[r]``, with column c moved to ``columns[c]``; zeros stay stored."""
    moved = matrix[rows]
    moved = sparse.csr_matrix((moved.data, columns[moved.indices], moved.indptr), shape=matrix.shape)
    moved.sort_indices()
    return moved


def disjoint_sum(pieces: list[sparse.csr_matrix]) -> sparse.csr_matrix:
    """Return the sum of matrices that have no entry in common; stored zeros stay, which ``+`` would drop."""
    if len(pieces) == 1:
        return pieces[0]
    side = sparse.hstack(pieces, format="csr")
    return sparse.csr_matrix((side.data, side.indices % pieces[0].shape[1], side.indptr), shape=pieces[0].shape)
