"""Time the streaming ranking against the dense one that sorts, on the same features in the same run.

    python benchmarks/ranking.py                                                        # small, a second
    python benchmarks/ranking.py --queries 3368 --gallery 15913                         # Market-1501's size
    python benchmarks/ranking.py --queries 11659 --gallery 82161 --ids 3060 --reference-queries 500    # MSMT17's size

The reference is what toolkits do without compiled code: the whole distance matrix, its argsort, a loop over queries.
Memory is the peak beyond the loaded features; where the reference ranks some of the queries only, its time is scaled up
and its memory is not. Features are synthetic: identities and cameras with noise.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidzoo.evaluation import evaluate_ranking
from reidzoo.evaluation.distances import FeatureDistances
from reidzoo.evaluation.feature_table import FeatureTable

STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the memory that this process holds now; 0 where the system does not tell."""
    return int(STATM.read_text().split()[1]) * 4096 if STATM.exists() else 0


def measured(function: Callable[[], Any]) -> tuple[Any, float, int]:
    """Call ``function`` and return its answer, its seconds and its peak memory in bytes beyond that before the call."""
    before, peak, done = resident_bytes(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        answer = function()
        seconds = time.perf_counter() - start
        peak[0] = max(peak[0], resident_bytes())
    finally:
        done.set()
        watcher.join()
    return answer, seconds, peak[0] - before


def synthetic_features(count: int, dim: int, ids: int, cameras: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return features float32 (count, dim), pids and camids of ``ids`` identities seen by ``cameras`` cameras."""
    shared, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    centres = shared.standard_normal((ids, dim), dtype=np.float32)
    shifts = shared.standard_normal((cameras, dim), dtype=np.float32)
    pids, camids = rng.integers(0, ids, count), rng.integers(0, cameras, count)
    features = rng.standard_normal((count, dim), dtype=np.float32)
    features *= 3.5
    for start in range(0, count, 1024):
        part = slice(start, start + 1024)
        features[part] += centres[pids[part]] + 0.5 * shifts[camids[part]]
    return features, pids, camids


def reference_ranking(case: Sequence[np.ndarray], metric: str) -> np.ndarray:
    """Return the AP of every query from the whole matrix and its argsort; NaN without a match."""
    query, gallery, query_pids, gallery_pids, query_camids, gallery_camids = case
    q, g = torch.from_numpy(query), torch.from_numpy(gallery)
    if metric == "cosine":
        distances = 1 - torch.nn.functional.normalize(q) @ torch.nn.functional.normalize(g).T
    else:
        distances = (q**2).sum(1)[:, None] + (g**2).sum(1)[None] - 2 * q @ g.T
    order = np.argsort(distances.numpy(), axis=1)
    same_id = gallery_pids[order] == query_pids[:, None]
    average = np.full(len(query), np.nan)
    for i in range(len(query)):
        kept = ~(same_id[i] & (gallery_camids[order[i]] == query_camids[i]))
        matches = same_id[i][kept]
        if matches.any():
            precision = matches.cumsum() / np.arange(1.0, len(matches) + 1)
            average[i] = (precision * matches).sum() / matches.sum()
    return average


def products_alone(query: np.ndarray, gallery: np.ndarray) -> None:
    """Compute the distances and throw them away: no ranking can be faster."""
    source = FeatureDistances(FeatureTable(query, "query"), FeatureTable(gallery, "gallery"))
    block = source.new_block()
    for start in range(0, len(query), len(block)):
        source.fill(start, block)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--gallery", type=int, default=3000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--ids", type=int, default=750)
    parser.add_argument("--metric", choices=("cosine", "euclidean"), default="cosine")
    parser.add_argument("--roc", action="store_true", help="compute the ROC too (ours only)")
    parser.add_argument("--reference-queries", type=int, default=0, help="rank only so many by the reference; 0: all")
    options = parser.parse_args(argv)
    query, query_pids, query_camids = synthetic_features(options.queries, options.dim, options.ids, 6, seed=1)
    gallery, gallery_pids, gallery_camids = synthetic_features(options.gallery, options.dim, options.ids, 6, seed=2)
    case = (query, gallery, query_pids, gallery_pids, query_camids, gallery_camids)
    few = options.reference_queries or options.queries
    short = (query[:few], gallery, query_pids[:few], gallery_pids, query_camids[:few], gallery_camids)

    products_alone(query[:600], gallery[:5000])  # threads and libraries start up
    _, limit_s, _ = measured(lambda: products_alone(query, gallery))
    ours, ours_s, ours_bytes = measured(lambda: evaluate_ranking(*case, metric=options.metric, roc=options.roc))
    wanted, reference_s, reference_bytes = measured(lambda: reference_ranking(short, options.metric))
    scale = options.queries / few
    difference = float(np.nanmax(np.abs(wanted - ours.per_query_ap[:few])))
    drift = abs(float(np.nanmean(wanted)) - float(np.nanmean(ours.per_query_ap[:few])))
    print(f"{options.queries} x {options.gallery} x {options.dim}, {options.metric}, mAP {ours.mAP:.4f}")
    print(f"distances alone  {limit_s:9.3f} s")
    print(f"ours             {ours_s:9.3f} s  {ours_bytes / 1e9:7.3f} GB")
    print(f"dense, sorting   {reference_s:9.3f} s  {reference_bytes / 1e9:7.3f} GB  for {few} queries")
    print(f"ratio            {reference_s * scale / ours_s:9.1f} x  {reference_bytes / max(ours_bytes, 1):7.1f} x")
    print(f"largest difference of an AP {difference:.1e}, of mAP {drift:.1e}")
    # Equal float32 distances up to the last bit can swap two neighbours in a rank, which moves one query's AP a little.
    return int(drift > 1e-5 or difference > 0.02)


if __name__ == "__main__":
    raise SystemExit(main())
