"""Time the sparse k-reciprocal re-ranking against the dense definition, on the same features in the same run.

    python benchmarks/rerank.py                                       # small, a second
    python benchmarks/rerank.py --queries 1000 --gallery 5000 --dim 2048
    python benchmarks/rerank.py --queries 3368 --gallery 15913 --dim 2048    # Market-1501's size, and 8 GB

The reference holds N x N matrices of distances, ranks and encodings, as toolkits do. Memory is the peak beyond the
loaded features, the (Q, G) answer included.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from common import camera_features, measured, memory_ratio, parser, record

from reidzoo.evaluation import rerank_k_reciprocal


def reference_rerank(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, lambda_: float) -> np.ndarray:
    """Return the re-ranked distances (Q, G) from dense N x N matrices (Zhong et al., CVPR 2017)."""
    features = np.concatenate([query, gallery])
    count = len(features)
    features = features.astype(np.float64)  # so that its neighbours are the true ones, not those of one rounding
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distances = 2 - 2 * features @ features.T
    np.fill_diagonal(distances, -1)  # an image is its own first neighbour
    ranked = np.argsort(distances, axis=1).astype(np.int32)
    np.fill_diagonal(distances, 0)
    distances = distances.astype(np.float32)
    distances /= distances.max(axis=1, keepdims=True)

    def reciprocal(image: int, width: int) -> np.ndarray:
        near = ranked[image, :width]
        return near[(ranked[near, :width] == image).any(axis=1)]

    codes = np.zeros_like(distances)
    half = round(k1 / 2) + 1
    for image in range(count):
        base = expanded = reciprocal(image, k1 + 1)
        for candidate in base:
            extra = reciprocal(candidate, half)
            if 3 * len(np.intersect1d(extra, base)) > 2 * len(extra):
                expanded = np.append(expanded, extra)
        expanded = np.unique(expanded)
        weights = np.exp(-distances[image, expanded])
        codes[image, expanded] = weights / weights.sum()
    codes = np.stack([codes[ranked[image, :k2]].mean(axis=0) for image in range(count)])
    owners = [np.flatnonzero(codes[:, column]) for column in range(count)]
    jaccard = np.zeros((len(query), count), dtype=np.float32)
    for image in range(len(query)):
        shared = np.zeros(count, dtype=np.float32)
        for column in np.flatnonzero(codes[image]):
            shared[owners[column]] += np.minimum(codes[image, column], codes[owners[column], column])
        jaccard[image] = 1 - shared / (2 - shared)
    return ((1 - lambda_) * jaccard + lambda_ * distances[: len(query)])[:, len(query) :]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    options = parser(__doc__)
    options.add_argument("--queries", type=int, default=100)
    options.add_argument("--gallery", type=int, default=500)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--ids", type=int, default=0, help="identities; 0: one for 20 images")
    options = options.parse_args(argv)
    ids = options.ids or max((options.queries + options.gallery) // 20, 2)
    query = camera_features(options.queries, options.dim, ids, 6, seed=1)[0]
    gallery = camera_features(options.gallery, options.dim, ids, 6, seed=2)[0]

    rerank_k_reciprocal(query[:20], gallery[:100])  # threads and libraries start up
    ours = measured(lambda: rerank_k_reciprocal(query, gallery))
    title = f"re-ranking, {options.queries:,} x {options.gallery:,} x {options.dim}, k1=20, k2=6, lambda=0.3"
    print(title)
    print(ours.line("ours"))
    if options.skip_reference:
        record(options.json, title, ours)
        return 0
    reference = measured(lambda: reference_rerank(query, gallery, 20, 6, 0.3))
    apart = np.abs(ours.answer - reference.answer)
    ratio, memory = reference.seconds / ours.seconds, memory_ratio(ours, reference)
    difference = f"largest difference of a distance {apart.max():.1e}"
    print(reference.line("dense"))
    print(f"ratio {ratio:.1f} x, memory {memory:.1f} x")
    print(difference)
    equal = bool(apart.max() <= 1e-5)
    figures = {"reference": reference, "ratio": ratio, "agree": equal, "difference": difference}
    record(options.json, title, ours, memory_ratio=memory, **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())
