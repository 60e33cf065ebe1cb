"""Times of ranking, re-ranking and clustering."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from shared import ARGS, best_of, device, free, is_cuda, left, peak_gb, say, switches, timed
from torch import Tensor

from reidzoo.clustering import dbscan_radii, jaccard_graph, kmeans, nearest_by_cosine
from reidzoo.evaluation import KReciprocal, evaluate_ranking

RANKINGS = {"Market": (3368, 15913, 2048), "MSMT17": (11659, 82161, 2048), "1M": (3368, 1_000_000, 256)}
"""Name -> queries, gallery, dimensions."""
CLUSTERINGS = {(12936, 2048): True, (32768, 2048): False, (131072, 256): False}
"""Images, dimensions -> whether the CPU does it, too."""


def rank() -> dict:
    """Ranking of host features and of features on the device, re-ranking, and the product of the features alone."""
    found = {}
    for name, (queries, gallery, dim) in ({"small": (300, 2000, 256)} if ARGS.tiny else RANKINGS).items():
        row = rank_one(queries, gallery, dim, beside_cpu=name in ("small", "Market"))
        found[name] = {key: round(value, 4) for key, value in row.items()}
        say("rank", name, found[name])
        free()
    return found


def rank_one(queries: int, gallery: int, dim: int, beside_cpu: bool) -> dict[str, float]:
    """Measure one size; with ``beside_cpu`` the CPU ranks and re-ranks the same features."""
    both, pids, camids = features_of(queries + gallery, dim, 1)
    labels = (pids[:queries], pids[queries:], camids[:queries], camids[queries:])
    host = both.cpu()
    row: dict[str, float] = {}
    free()

    def run(features: Tensor, place: torch.device | str, rerank: KReciprocal | bool = False) -> tuple[float, float]:
        arguments = (features[:queries], features[queries:], *labels)
        seconds, result = timed(lambda: evaluate_ranking(*arguments, device=place, rerank=rerank))
        return seconds, result.mAP

    def product() -> None:
        with switches(matmul_tf32=False):
            for part in both[:queries].split(512):
                torch.mm(part, both[queries:].T)

    product()
    row["product alone, device"] = best_of(product, 2)
    run(both, device())
    row["features on the device"], there = run(both, device())
    row["gb"] = peak_gb()
    row["host features"], _ = run(host, device())
    if beside_cpu:
        row["cpu"], here = run(host, "cpu")
        row["mAP difference"] = abs(here - there)
        row["re-ranking"], _ = run(both, device(), KReciprocal())
        row["re-ranking, cpu"], _ = run(host, "cpu", KReciprocal())
    return row


def cluster() -> dict:
    """Jaccard + DBSCAN and K-means of features on the device, and beside them on the CPU."""
    found = {}
    for (images, dim), beside_cpu in ({(500, 32): True} if ARGS.tiny else CLUSTERINGS).items():
        if left() < 30 and not ARGS.tiny:
            break
        row = cluster_one(images, dim, beside_cpu)
        found[f"{images}x{dim}"] = {key: round(value, 4) for key, value in row.items()}
        say("cluster", f"{images}x{dim}", found[f"{images}x{dim}"])
        free()
    return found


def cluster_one(images: int, dim: int, beside_cpu: bool) -> dict[str, float]:
    """Measure one size; with ``beside_cpu`` the CPU clusters the same features."""
    features, _, _ = features_of(images, dim, 2)
    k = 20 if ARGS.tiny else 500
    row: dict[str, float] = {}
    free()
    labels_of(features[: min(images, 4096)])
    row["neighbours"], _ = timed(nearest_by_cosine, features, 30)
    row["jaccard + DBSCAN"], there = timed(labels_of, features)
    row["gb"] = peak_gb()
    row["K-means"], (means_there, _) = timed(kmeans, features, k)
    if beside_cpu and is_cuda():
        row["jaccard + DBSCAN, cpu"], here = timed(labels_of, features.cpu())
        row["labels that differ"] = int(sum((a != b).sum() for a, b in zip(here, there)))
        row["K-means, cpu"], (means_here, _) = timed(kmeans, features.cpu(), k)
        row["K-means labels that differ"] = int((means_here != means_there).sum())
    return row


def labels_of(features: Tensor) -> list[np.ndarray]:
    """Cluster as SpCL does: at three radii."""
    return dbscan_radii(jaccard_graph(features, max_distance=0.62), [0.6, 0.58, 0.62])


def features_of(n: int, dim: int, seed: int, per_id: int = 20) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Draw L2-normalised features (n, dim) on the device around a centre for each identity, their pids and camids."""
    generator = torch.Generator(device()).manual_seed(seed)
    centres = torch.randn(max(n // per_id, 1), dim, generator=generator, device=device())
    pid = torch.randint(len(centres), (n,), generator=generator, device=device())
    features = F.normalize(centres[pid] + 1.3 * torch.randn(n, dim, generator=generator, device=device()))
    return features, pid.cpu().numpy(), torch.randint(6, (n,), generator=generator, device=device()).cpu().numpy()
