"""Time K-means against its definition, and against scikit-learn where that is installed, from the same beginning.

    python benchmarks/kmeans.py                                              # small, a second
    python benchmarks/kmeans.py --images 12936 --dim 2048 --clusters 500     # Market-1501's training set

The reference computes all N x K distances in float64, assigns, and averages, until nothing changes: the definition.
scikit-learn runs in float32. Drawing the first centroids is timed beside. Memory is the peak beyond the features.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
import torch
from common import identity_features, measured, memory_ratio, parser, record

from reidzoo.clustering import kmeans, number_by_first


def reference_kmeans(features: torch.Tensor, init: torch.Tensor, max_iters: int) -> np.ndarray:
    """Return the labels (N,) of Lloyd's algorithm by its definition, numbered by first member."""
    rows, centroids, labels = features.double(), init.double(), None
    for _ in range(max_iters):
        found = torch.cdist(rows, centroids).argmin(dim=1)
        if labels is not None and torch.equal(found, labels):
            break
        labels = found
        sums = torch.zeros_like(centroids).index_add_(0, labels, rows)
        centroids = sums / torch.bincount(labels, minlength=len(centroids))[:, None]
    return number_by_first(torch.cdist(rows, centroids).argmin(dim=1).numpy())


def scikit_learn(features: torch.Tensor, init: torch.Tensor, max_iters: int) -> None:
    """Run scikit-learn's Lloyd."""
    from sklearn.cluster import KMeans

    options = {"n_init": 1, "max_iter": max_iters, "tol": 0.0, "algorithm": "lloyd"}
    KMeans(len(init), init=init.numpy(), **options).fit(features.numpy())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=1000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--clusters", type=int, default=50)
    options.add_argument("--max-iters", type=int, default=100)
    options = options.parse_args(argv)
    features = identity_features(options.images, options.dim, per_id=20, seed=0)
    place = np.random.default_rng(0).permutation(options.images)[: options.clusters]
    init = features[torch.from_numpy(place)]
    settings = {"num_clusters": options.clusters, "max_iters": options.max_iters}

    kmeans(features[:300], 10)  # threads and libraries start up
    drawn = measured(lambda: kmeans(features, options.clusters, max_iters=1))
    ours = measured(lambda: kmeans(features, init=init, **settings)[0])
    title = f"K-means, {options.images:,} x {options.dim}, {options.clusters} clusters"
    notes = [f"k-means++ and one iteration {drawn.seconds:.3g} s"]
    print(f"{title}: {notes[0]}")
    print(ours.line("ours"))
    if options.skip_reference:
        record(options.json, title, ours, notes=notes)
        return 0
    if importlib.util.find_spec("sklearn"):
        library = measured(lambda: scikit_learn(features, init, options.max_iters))
        print(library.line("scikit-learn"))
        notes.append(f"scikit-learn {library.seconds:.3g} s")
    reference = measured(lambda: reference_kmeans(features, init, options.max_iters))
    ratio, memory = reference.seconds / ours.seconds, memory_ratio(ours, reference)
    differing = int((ours.answer != reference.answer).sum())
    difference = f"labels that differ: {differing}"
    print(reference.line("definition"))
    print(f"ratio {ratio:.1f} x, memory {memory:.1f} x")
    print(difference)
    figures = {"reference": reference, "ratio": ratio, "agree": not differing, "difference": difference}
    record(options.json, title, ours, memory_ratio=memory, notes=notes, **figures)
    return int(differing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
