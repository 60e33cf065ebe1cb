"""Time the sparse Jaccard graph and DBSCAN at three radii against the dense ones, on the same features in the same run.

    python benchmarks/clustering.py                                   # small, some seconds
    python benchmarks/clustering.py --images 16384 --dim 2048
    python benchmarks/clustering.py --images 131072 --skip-reference

The reference does what the code of SpCL does on a CPU: neighbours from blocks of similarities, then N x N matrices of
encodings and of distances, DBSCAN on each threshold of them, and N x N matrices of equal labels for the reliability.
CPU seconds tell more than seconds where others use the machine. Memory is the peak beyond the loaded features.
Features are synthetic: identities in a space of fewer dimensions.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from ranking import measured
from scipy import sparse

from reidzoo.clustering import (
    Reliability,
    dbscan_radii,
    jaccard_graph,
    nearest_neighbours,
    number_by_first,
    reliability,
)

RADII = [0.6, 0.58, 0.62]


def synthetic_features(images: int, dim: int, per_id: int, seed: int, latent: int = 64) -> torch.Tensor:
    """Return L2-normalised features (images, dim) of about ``per_id`` images an identity, some blurrier than others."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(images // per_id, 1), latent, generator=generator)
    ids = torch.randint(len(centres), (images,), generator=generator)
    view = torch.randn(latent, dim, generator=generator)
    features = torch.empty(images, dim)
    for rows, own in zip(features.split(1024), ids.split(1024)):
        blur = 0.6 + 0.8 * torch.rand(len(own), 1, generator=generator)
        inner = centres[own] + blur * torch.randn(len(own), latent, generator=generator)
        rows[:] = inner @ view + 0.5 * torch.randn(len(own), dim, generator=generator)
        rows /= rows.norm(dim=1, keepdim=True)
    return features


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


def reference(features: torch.Tensor) -> tuple[np.ndarray, list[np.ndarray], Reliability, float]:
    """Return the dense distances, the labels at each radius, the reliability, and the CPU seconds of the neighbours."""
    start = time.process_time()
    ranked = reference_neighbours(features, 30)
    seconds = time.process_time() - start
    distances = reference_jaccard(features, ranked, 30, 6)
    labels = [number_by_first(reference_dbscan(distances, np.float32(eps), 4)) for eps in RADII]
    return distances, labels, reference_reliability(*labels), seconds


def ours(features: torch.Tensor) -> tuple[sparse.csr_matrix, list[np.ndarray], Reliability]:
    """Return the sparse distances, the labels at each radius and the reliability."""
    graph = jaccard_graph(features, max_distance=max(RADII))
    labels = dbscan_radii(graph, RADII)
    return graph, labels, reliability(*labels)


def measured_cpu(function: Callable[[], Any]) -> tuple[Any, float, float, float]:
    """Call ``function`` and return its answer, its seconds, its CPU seconds, and its peak memory in GB."""
    start = time.process_time()
    answer, seconds, peak = measured(function)
    return answer, seconds, time.process_time() - start, peak / 1e9


def largest_difference(graph: sparse.csr_matrix, dense: np.ndarray) -> float:
    """Return the largest difference of a distance that the graph stores."""
    worst = 0.0
    for row in range(len(dense)):
        stored = slice(graph.indptr[row], graph.indptr[row + 1])
        worst = max(worst, float(np.abs(graph.data[stored] - dense[row, graph.indices[stored]]).max(initial=0)))
    return worst


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--per-id", type=int, default=20, help="images of an identity, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-reference", action="store_true", help="time ours only")
    options = parser.parse_args(argv)
    features = synthetic_features(options.images, options.dim, options.per_id, options.seed)

    ours(features[:300])  # threads and libraries start up
    _, _, near_cpu, _ = measured_cpu(lambda: nearest_neighbours(features, 30))
    (graph, labels, scores), ours_s, ours_cpu, ours_gb = measured_cpu(lambda: ours(features))
    print(f"{options.images} x {options.dim}, k1=30, k2=6, DBSCAN at {RADII}: {labels[0].max() + 1} clusters")
    line = "{:6} {:9.3f} s  CPU {:9.3f} s, of them neighbours {:9.3f} s  {:7.3f} GB"
    print(line.format("ours", ours_s, ours_cpu, near_cpu, ours_gb))
    if options.skip_reference:
        return 0
    (dense, wanted, wanted_scores, dense_near_cpu), dense_s, dense_cpu, dense_gb = measured_cpu(
        lambda: reference(features)
    )
    print(line.format("dense", dense_s, dense_cpu, dense_near_cpu, dense_gb))
    after = (dense_cpu - dense_near_cpu) / max(ours_cpu - near_cpu, 1e-3)
    print(
        f"ratio  {dense_s / ours_s:9.1f} x  CPU {dense_cpu / ours_cpu:9.1f} x, after neighbours {after:9.1f} x"
        f"  {dense_gb / max(ours_gb, 1e-3):7.1f} x"
    )
    differing = [int((one != other).sum()) for one, other in zip(labels, wanted)]
    difference = largest_difference(graph, dense)
    equal = not any(differing) and all(np.allclose(*pair, atol=1e-12) for pair in zip(scores, wanted_scores))
    print(f"labels that differ: {differing}; largest difference of a distance {difference:.1e}")
    return int(not equal or difference > 1e-5)


if __name__ == "__main__":
    raise SystemExit(main())
