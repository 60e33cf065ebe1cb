"""K-means clustering."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidzoo.add_rows import add_rows
from reidzoo.checks import check, whole
from reidzoo.clustering.dbscan import number_by_first
from reidzoo.clustering.kmeans_plus_plus import KMeansPlusPlus
from reidzoo.errors import ClusteringError
from reidzoo.neighbours.checks import check_seed, check_whole
from reidzoo.neighbours.distances import exact_matmul
from reidzoo.neighbours.equal_rows import equal_rows
from reidzoo.neighbours.feature_table import FeatureTable
from reidzoo.neighbours.features import finite
from reidzoo.registry import CLUSTERER

TILE = 2048  # rows assigned at a time


@CLUSTERER.register_module()
class KMeans:
    """K-means with greedy k-means++; see ``kmeans`` for the arguments.

    Raises:
        ClusteringError: settings out of their ranges.
    """

    on_device = True

    def __init__(self, num_clusters: int, seed: int = 0, max_iters: int = 100) -> None:
        check_settings(num_clusters, max_iters)
        check(self, whole(0), seed=seed)
        self.num_clusters, self.seed, self.max_iters = num_clusters, seed, max_iters

    def fit_predict(self, features: Tensor | np.ndarray) -> np.ndarray:
        """Return the clusters of ``features`` (N, D): int64 (N,), numbered by first member; there are no outliers.

        Raises:
            ClusteringError: see ``kmeans``.
        """
        return kmeans(features, self.num_clusters, seed=self.seed, max_iters=self.max_iters)[0]


def kmeans(
    features: Tensor | np.ndarray,
    num_clusters: int,
    *,
    seed: int = 0,
    max_iters: int = 100,
    init: Tensor | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster ``features`` by Lloyd's algorithm: assign each row to its nearest centroid, move centroids to the means.

    It stops when no row changes its cluster, or after ``max_iters`` moves and one more assignment. Rows are compared by
    Euclidean distance in float64 (float32 decides where its error cannot matter); a row equally far from two centroids
    goes to the one that was drawn first. A cluster left without rows takes the row farthest from its centroid among the
    clusters of more than one; so no cluster is ever empty.

    Args:
        features: (N, D), taken as they are, in float32; L2-normalise them first for cosine. On any device, where the
            work is done.
        num_clusters: K, at most the number of rows that differ.
        seed: of the draws of greedy k-means++.
        max_iters: moves of the centroids.
        init: (K, D) centroids to begin with instead of k-means++'s.

    Returns:
        ``(labels, centroids)``: int64 (N,), clusters numbered by their first member, and float32 (K, D), their means
        (where ``max_iters`` ended it, the centroids that the labels are nearest to).

    Raises:
        ClusteringError: features that are not a finite matrix, fewer different rows than clusters, an ``init`` of
            another shape, or settings out of range.
    """
    check_settings(num_clusters, max_iters)
    seed = check_seed(seed, ClusteringError)
    rows = finite(features, "features")
    first, group = equal_rows(FeatureTable(rows, "features", rows.device))
    if len(first) < num_clusters:
        raise ClusteringError(
            f"features: {len(first)} different rows of {len(rows)} cannot make num_clusters={num_clusters} clusters. "
            f"Ask for fewer, or look at the model if its features have collapsed."
        )
    if init is None:
        start = rows[KMeansPlusPlus(rows, group, np.random.default_rng(seed)).draw(num_clusters)]
    else:
        start = finite(init, "init").to(rows.device)
        if start.shape != (num_clusters, rows.shape[1]):
            raise ClusteringError(f"init: expected {(num_clusters, rows.shape[1])}, got shape {tuple(start.shape)}")
    labels, centroids = lloyd(rows, start.double(), max_iters)
    numbers = number_by_first(labels.cpu().numpy())
    _, member = np.unique(numbers, return_index=True)
    return numbers, centroids[labels[torch.from_numpy(member).to(labels.device)]].float().cpu().numpy()


def check_settings(num_clusters: int, max_iters: int) -> None:
    """Raise ClusteringError for settings outside their ranges."""
    check_whole(num_clusters, "num_clusters")
    check_whole(max_iters, "max_iters")


def lloyd(rows: Tensor, centroids: Tensor, max_iters: int) -> tuple[Tensor, Tensor]:
    """Return the labels int64 (N,) and the centroids float64 (K, D) that Lloyd's algorithm ends with."""
    count = len(centroids)
    lengths = torch.linalg.vector_norm(rows, dim=1)
    sums, labels = torch.zeros_like(centroids), torch.full((len(rows),), count, device=rows.device)
    for _ in range(max_iters):
        found = without_empty(rows, centroids, assign(rows, centroids, lengths))
        moved = torch.nonzero(found != labels)[:, 0]
        if not len(moved):
            return labels, centroids
        for part in moved.split(TILE):
            values = rows[part].double()
            add_rows(sums, found[part], values)
            member = labels[part] < count  # no row is anybody's at first
            add_rows(sums, labels[part][member], -values[member])
        labels = found
        centroids = sums / torch.bincount(labels, minlength=count)[:, None]
    return without_empty(rows, centroids, assign(rows, centroids, lengths)), centroids


def assign(rows: Tensor, centroids: Tensor, lengths: Tensor) -> Tensor:
    """Return the nearest of ``centroids`` (K, D) float64 to each row, int64 (N,); the first of equally near ones.

    With m the mean of the centroids and c' = c - m, |x - c|^2 = |x - m|^2 + |c'|^2 - 2 (x - m).c', and only the
    last two terms tell centroids apart. Where float32 leaves more than one, float64 decides.

    Args:
        rows: (N, D) float32.
        centroids: (K, D) float64.
        lengths: (N,) of the rows.
    """
    middle = centroids.mean(dim=0)
    shifted = centroids - middle
    squares = shifted.square().sum(dim=1)
    exact_bias = squares + 2 * (shifted @ middle)
    points, bias = -2 * shifted.float().T.contiguous(), exact_bias.float()
    reach = squares.max().sqrt()
    slack = (8e-6 * reach * lengths + 1e-6 * exact_bias.abs().max()).float()  # more than two values can be off
    labels = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    buffer = torch.empty((min(TILE, len(rows)), len(centroids)), dtype=torch.float32, device=rows.device)
    with exact_matmul(rows.device):
        for tile, label, room in zip(rows.split(TILE), labels.split(TILE), slack.split(TILE)):
            values = torch.mm(tile, points, out=buffer[: len(tile)]).add_(bias)
            least, nearest = values.min(dim=1)
            label.copy_(nearest)
            second = values.scatter_(1, nearest[:, None], torch.inf).amin(dim=1)
            unsure = torch.nonzero(second <= least + room)[:, 0]
            if len(unsure):
                label[unsure] = settled(tile[unsure].double() - middle, shifted, squares)
    return labels


def settled(rows: Tensor, centroids: Tensor, squares: Tensor) -> Tensor:
    """Return the first of the nearest ``centroids`` to each of ``rows``, all float64 about one centre."""
    values = torch.addmm(squares, rows, centroids.T, alpha=-2)
    room = 1e-12 * (rows.square().sum(dim=1) + squares.max())  # float64's error, so that what should tie does
    near = values <= (values.amin(dim=1) + room)[:, None]
    number = torch.arange(len(centroids), device=rows.device)
    return torch.where(near, number, len(centroids)).amin(dim=1)


def without_empty(rows: Tensor, centroids: Tensor, labels: Tensor) -> Tensor:
    """Return ``labels`` (N,) with the farthest rows from their centroids moved to the clusters that have none."""
    counts = torch.bincount(labels, minlength=len(centroids))
    empty = torch.nonzero(counts == 0)[:, 0].tolist()
    if not empty:
        return labels
    labels = labels.clone()
    parts = zip(rows.split(TILE), labels.split(TILE))
    distance = torch.cat([(part.double() - centroids[own]).square().sum(dim=1) for part, own in parts])
    order = iter(distance.argsort(descending=True, stable=True).tolist())
    for number in empty:
        row = next(row for row in order if counts[labels[row]] > 1)
        counts[labels[row]] -= 1
        labels[row] = number
    return labels
