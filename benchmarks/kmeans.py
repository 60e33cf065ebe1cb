"""Time K-means against scikit-learn's, and compare the clusters, on the same features in the same run.

    python benchmarks/kmeans.py                                              # small, some seconds
    python benchmarks/kmeans.py --images 4000 --dim 256 --clusters 200 --seeds 5
    python benchmarks/kmeans.py --images 12936 --dim 2048 --clusters 500     # Market-1501's training set

Both begin by greedy k-means++ and iterate until nothing changes, in float32, once for each seed; scikit-learn's is
``KMeans(n_init=1, tol=0)``. Inertia is the sum of the squared distances from the images to their clusters' means, which
both minimise. ARI is the adjusted Rand index of clusters and identities. These are means over the seeds; time and
memory are of all seeds together. Drawing the first centroids is timed beside. Memory is the peak beyond the features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from common import labelled_features, measured, memory_ratio, parser, record

from reidzoo.clustering import kmeans

MARGIN = 1.02
"""Inertia beside scikit-learn's, above which ours counts as worse; the mean over few seeds varies by a percent."""


def scikit_learn(features: np.ndarray, clusters: int, seed: int, max_iters: int) -> np.ndarray:
    """Return the labels (N,) that scikit-learn finds."""
    from sklearn.cluster import KMeans

    options = {"init": "k-means++", "n_init": 1, "max_iter": max_iters, "tol": 0.0, "algorithm": "lloyd"}
    return KMeans(clusters, random_state=seed, **options).fit_predict(features)


def inertia(features: torch.Tensor, labels: np.ndarray) -> float:
    """Return the sum of the squared distances from the rows to the means of their clusters."""
    number = torch.from_numpy(labels).long()
    rows, counts = features.double(), torch.bincount(number)
    means = torch.zeros((len(counts), features.shape[1]), dtype=torch.float64).index_add_(0, number, rows)
    return float((rows - (means / counts[:, None])[number]).square().sum())


def quality(features: torch.Tensor, ids: torch.Tensor, answers: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the mean inertia and the mean adjusted Rand index of the answers, which are labels (N,)."""
    from sklearn.metrics import adjusted_rand_score

    agreement = [adjusted_rand_score(ids.numpy(), labels) for labels in answers]
    return float(np.mean([inertia(features, labels) for labels in answers])), float(np.mean(agreement))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if our inertia is more than ``MARGIN`` times scikit-learn's."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=1000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--clusters", type=int, default=50)
    options.add_argument("--max-iters", type=int, default=100)
    options.add_argument("--seeds", type=int, default=3)
    options = options.parse_args(argv)
    features, ids = labelled_features(options.images, options.dim, per_id=20, seed=0)
    seeds = range(options.seeds)

    def ours(seed: int, max_iters: int = options.max_iters) -> np.ndarray:
        return kmeans(features, options.clusters, seed=seed, max_iters=max_iters)[0]

    def theirs(seed: int) -> np.ndarray:
        return scikit_learn(features.numpy(), options.clusters, seed, options.max_iters)

    kmeans(features[:300], 10)  # threads and libraries start up
    drawn = measured(lambda: ours(0, max_iters=1))
    found = measured(lambda: [ours(seed) for seed in seeds])
    title = f"K-means, {options.images:,} x {options.dim}, {options.clusters} clusters, {options.seeds} seeds"
    notes = [f"k-means++ and one iteration {drawn.seconds:.3g} s"]
    print(f"{title}: {notes[0]}")
    print(found.line("ours"))
    if options.skip_reference:
        record(options.json, title, found, notes=notes)
        return 0
    scikit_learn(features[:300].numpy(), 10, 0, 1)
    reference = measured(lambda: [theirs(seed) for seed in seeds])
    ratio, memory = reference.seconds / found.seconds, memory_ratio(found, reference)
    own, their = (quality(features, ids, answers) for answers in (found.answer, reference.answer))
    difference = f"inertia {100 * (own[0] / their[0] - 1):+.2f} % beside scikit-learn's"
    notes.append(f"ARI {own[1]:.3f}, scikit-learn's {their[1]:.3f}")
    print(reference.line("scikit-learn"))
    print(f"ratio {ratio:.1f} x, memory {memory:.1f} x")
    print(f"{notes[-1]}; {difference}")
    agree = own[0] <= MARGIN * their[0]
    figures = {"reference": reference, "ratio": ratio, "agree": agree, "difference": difference}
    record(options.json, title, found, memory_ratio=memory, notes=notes, **figures)
    return int(not agree)


if __name__ == "__main__":
    raise SystemExit(main())
