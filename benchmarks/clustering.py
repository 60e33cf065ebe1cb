"""Time the sparse Jaccard graph and DBSCAN at three radii against the dense ones, on the same features in the same run.

    python benchmarks/clustering.py                                   # small, some seconds
    python benchmarks/clustering.py --images 16384 --dim 2048
    python benchmarks/clustering.py --images 131072 --reference-images 8192

The reference does what the code of SpCL does on a CPU: neighbours from blocks of similarities, then N x N matrices of
encodings and of distances, DBSCAN on each threshold of them, and N x N matrices of equal labels for the reliability.
Memory is the peak beyond the loaded features. Features are synthetic: identities in a space of fewer dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from common import Measurement, identity_features, measured, memory_ratio, parser, record
from scipy import sparse

from reidzoo.clustering import Reliability, dbscan_radii, jaccard_graph, number_by_first, reliability
from reidzoo.clustering.jaccard import graph as jaccard

RADII = [0.6, 0.58, 0.62]


def reference_neighbours(features: torch.Tensor, k: int) -> np.ndarray:
    """Return the k nearest rows to each (N, k) from blocks of similarities."""
    return torch.cat([(block @ features.T).topk(k, dim=1).indices for block in features.split(1024)]).numpy()


def reference_jaccard(features: torch.Tensor, ranked: np.ndarray, k1: int, k2: int) -> np.ndarray:
    """Return the dense Jaccard distances (N, N), float32 (Zhong et al., CVPR 2017, with SpCL's slice)."""
    count = len(features)

    def reciprocal(image: int, width: int) -> np.ndarray:
        near = ranked[image, :width]
        return near[(ranked[near, :width] == image).any(axis=1)]

    full = [reciprocal(image, k1) for image in range(count)]
    half = [reciprocal(image, round(k1 / 2) + 1) for image in range(count)]
    codes = np.zeros((count, count), dtype=np.float32)
    for image in range(count):
        expanded = full[image]
        for candidate in full[image]:
            if 3 * len(np.intersect1d(half[candidate], full[image])) > 2 * len(half[candidate]):
                expanded = np.append(expanded, half[candidate])
        expanded = np.unique(expanded)
        similarities = features[image] @ features[torch.from_numpy(expanded)].T
        codes[image, expanded] = (2 * similarities - 2).softmax(dim=0).numpy()
    codes = np.stack([codes[ranked[image, :k2]].mean(axis=0) for image in range(count)])
    owners = [np.flatnonzero(codes[:, column]) for column in range(count)]
    jaccard = np.zeros((count, count), dtype=np.float32)
    for image in range(count):
        shared = np.zeros(count, dtype=np.float32)
        for column in np.flatnonzero(codes[image]):
            shared[owners[column]] += np.minimum(codes[image, column], codes[owners[column], column])
        jaccard[image] = 1 - shared / (2 - shared)
    return np.maximum(jaccard, 0, out=jaccard)


def reference_dbscan(distances: np.ndarray, eps: float, min_samples: int) -> np.ndarray:
    """Return DBSCAN's labels by walking over dense distances, as scikit-learn's ``metric="precomputed"`` does."""
    near = [np.flatnonzero(row <= eps) for row in distances]
    labels = np.full(len(near), -1)
    number = 0
    for start in range(len(near)):
        if labels[start] >= 0 or len(near[start]) < min_samples:
            continue
        stack = [start]
        while stack:
            node = stack.pop()
            if labels[node] < 0:
                labels[node] = number
                if len(near[node]) >= min_samples:
                    stack.extend(near[node][labels[near[node]] < 0])
        number += 1
    return labels


def reference_reliability(labels: np.ndarray, tight: np.ndarray, loose: np.ndarray) -> Reliability:
    """Return R_indep and R_comp from N x N matrices of equal labels."""
    same, same_tight, same_loose = (
        (each[:, None] == each[None]) & (each[:, None] >= 0) | np.eye(len(each), dtype=bool)
        for each in (labels, tight, loose)
    )
    overlap = [(same & other).sum(axis=1) / (same | other).sum(axis=1) for other in (same_loose, same_tight)]
    return Reliability(1 - overlap[0], 1 - overlap[1])


class Clustering(NamedTuple):
    """What one way of clustering gives."""

    distances: Any
    labels: list[np.ndarray]
    scores: Reliability
    neighbours: Measurement
    """The search for neighbours within it."""


def reference(features: torch.Tensor) -> Clustering:
    """Cluster with N x N matrices."""
    neighbours = measured(lambda: reference_neighbours(features, 30))
    distances = reference_jaccard(features, neighbours.answer, 30, 6)
    labels = [number_by_first(reference_dbscan(distances, np.float32(eps), 4)) for eps in RADII]
    return Clustering(distances, labels, reference_reliability(*labels), neighbours)


def ours(features: torch.Tensor) -> Clustering:
    """Cluster with the sparse graph."""
    search, found = jaccard.neighbours_of_normalised, []

    def timed(*arguments: Any) -> Any:
        found.append(measured(lambda: search(*arguments)))
        return found[0].answer

    with mock.patch.object(jaccard, "neighbours_of_normalised", timed):
        graph = jaccard_graph(features, max_distance=max(RADII))
    labels = dbscan_radii(graph, RADII)
    return Clustering(graph, labels, reliability(*labels), found[0])


def largest_difference(graph: sparse.csr_matrix, dense: np.ndarray) -> float:
    """Return the largest difference of a distance that the graph stores."""
    worst = 0.0
    for row in range(len(dense)):
        stored = slice(graph.indptr[row], graph.indptr[row + 1])
        worst = max(worst, float(np.abs(graph.data[stored] - dense[row, graph.indices[stored]]).max(initial=0)))
    return worst


def after(measurement: Measurement) -> float:
    """Return the seconds of everything after the search for neighbours."""
    return measurement.seconds - measurement.answer.neighbours.seconds


def compared(one: Clustering, other: Clustering) -> tuple[bool, str]:
    """Return whether ours and the reference agree, and by how much they differ."""
    differing = [int((mine != theirs).sum()) for mine, theirs in zip(one.labels, other.labels)]
    apart = largest_difference(one.distances, other.distances)
    scores = all(np.allclose(*pair, atol=1e-12) for pair in zip(one.scores, other.scores))
    equal = not any(differing) and scores and apart <= 1e-5
    return equal, f"labels that differ: {differing}; largest difference of a distance {apart:.1e}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=1000)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--per-id", type=int, default=20, help="images of an identity, on average")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--reference-images", type=int, default=0, help="compare on so many of the images; 0: all")
    options = options.parse_args(argv)
    features = identity_features(options.images, options.dim, options.per_id, options.seed)

    ours(features[:300])  # threads and libraries start up
    mine = measured(lambda: ours(features))
    title = f"clustering, {options.images:,} x {options.dim}, k1=30, k2=6, DBSCAN at {RADII}"
    notes = [f"{mine.answer.labels[0].max() + 1:,} clusters", f"neighbours {mine.answer.neighbours.seconds:.3g} s"]
    line = f"after the neighbours {after(mine):.3f} s"
    print(f"{title}: {'; '.join(notes)}")
    print(mine.line("ours", line))
    if options.skip_reference:
        record(options.json, title, mine, notes=[*notes, line])
        return 0
    small = mine
    if 0 < options.reference_images < options.images:
        features = features[: options.reference_images].clone()
        small = measured(lambda: ours(features))
        notes.append(f"compared on {len(features):,} images, which took ours {small.seconds:.3g} s")
        print(small.line(f"ours on {len(features)}", f"after the neighbours {after(small):.3f} s"))
    theirs = measured(lambda: reference(features))
    ratio, memory = theirs.seconds / small.seconds, memory_ratio(small, theirs)
    later = after(theirs) / max(after(small), 1e-3)
    equal, difference = compared(small.answer, theirs.answer)
    print(theirs.line("dense", f"after the neighbours {after(theirs):.3f} s"))
    print(f"ratio {ratio:.1f} x, memory {memory:.1f} x; after the neighbours {later:.1f} x")
    print(difference)
    notes.append(f"after the neighbours {later:.3g} x")
    figures = {"reference": theirs, "ratio": ratio, "agree": equal, "difference": difference, "notes": notes}
    record(options.json, title, mine, memory_ratio=memory, **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())
