"""Time the streaming ranking against the dense one that sorts, on the same features in the same run.

    python benchmarks/ranking.py                                              # small, a second
    python benchmarks/ranking.py --queries 3368 --gallery 15913 --dim 2048    # Market-1501's size
    python benchmarks/ranking.py --queries 11659 --gallery 82161 --dim 2048 --ids 3060 --reference-queries 500

The last is MSMT17's size.

The reference is what toolkits do without compiled code: the whole distance matrix, its argsort, a loop over queries.
Memory is the peak beyond the loaded features; where the reference ranks some of the queries only, its time is scaled up
and its memory is not. Features are synthetic: identities and cameras with noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from common import Measurement, camera_features, measured, memory_ratio, parser, record

from reidzoo.evaluation import evaluate_ranking
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable


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


def products_alone(query: np.ndarray, gallery: np.ndarray, metric: str) -> None:
    """Compute the distances and throw them away: no ranking can be faster."""
    source = FeatureDistances(FeatureTable(query, "query"), FeatureTable(gallery, "gallery"), metric)
    block = source.new_block()
    for start in range(0, len(query), len(block)):
        source.fill(start, block)


def compared(ours: Measurement, reference: Measurement, few: int) -> tuple[bool, str]:
    """Return whether the APs of the first ``few`` queries agree, and by how much they differ."""
    mine, other = ours.answer.per_query_ap[:few], reference.answer
    difference = float(np.nanmax(np.abs(other - mine)))
    drift = abs(float(np.nanmean(other)) - float(np.nanmean(mine)))
    # Equal float32 distances up to the last bit can swap two neighbours in a rank, which moves one query's AP a little.
    equal = drift <= 1e-5 and difference <= 0.02 and np.array_equal(np.isnan(other), np.isnan(mine))
    return equal, f"largest difference of an AP {difference:.1e}, of mAP {drift:.1e}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if the answers differ."""
    options = parser(__doc__)
    options.add_argument("--queries", type=int, default=300)
    options.add_argument("--gallery", type=int, default=3000)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--ids", type=int, default=750)
    options.add_argument("--metric", choices=("cosine", "euclidean"), default="cosine")
    options.add_argument("--roc", action="store_true", help="compute the ROC too (ours only)")
    options.add_argument("--reference-queries", type=int, default=0, help="rank only so many by the reference; 0: all")
    options = options.parse_args(argv)
    query, query_pids, query_camids = camera_features(options.queries, options.dim, options.ids, 6, seed=1)
    gallery, gallery_pids, gallery_camids = camera_features(options.gallery, options.dim, options.ids, 6, seed=2)
    case = (query, gallery, query_pids, gallery_pids, query_camids, gallery_camids)

    products_alone(query[:600], gallery[:5000], options.metric)  # threads and libraries start up
    limit = measured(lambda: products_alone(query, gallery, options.metric))
    ours = measured(lambda: evaluate_ranking(*case, metric=options.metric, roc=options.roc))
    size = f"{options.queries:,} x {options.gallery:,} x {options.dim}, {options.metric}"
    title = f"ranking{' with ROC' if options.roc else ''}, {size}"
    notes = [f"distances alone {limit.seconds:.3g} s", f"mAP {ours.answer.mAP:.4f}"]
    if options.roc:
        notes += [f"TPR at FPR {rate:g}: {value:.4f}" for rate, value in ours.answer.roc.tpr_at.items()]
    print(f"{title}: {'; '.join(notes)}")
    print(ours.line("ours"))
    if options.skip_reference:
        record(options.json, title, ours, notes=notes)
        return 0
    few = options.reference_queries or options.queries
    short = (query[:few], gallery, query_pids[:few], gallery_pids, query_camids[:few], gallery_camids)
    reference = measured(lambda: reference_ranking(short, options.metric))
    ratio, memory = reference.seconds * options.queries / few / ours.seconds, memory_ratio(ours, reference)
    equal, difference = compared(ours, reference, few)
    print(reference.line("dense, sorting", f"for {few} queries"))
    # What ranking costs beside the distances, which both compute; the reference's are taken to cost what ours do.
    beside = [ours.seconds - limit.seconds, (reference.seconds * options.queries / few) - limit.seconds]
    print(f"ratio {ratio:.1f} x, memory {memory:.1f} x; beside the distances {beside[1] / max(beside[0], 1e-3):.1f} x")
    print(difference)
    notes.append(f"beside the distances {beside[1] / max(beside[0], 1e-3):.3g} x")
    if few < options.queries:
        notes.append(f"the reference ranked {few:,} queries; its time is scaled up, its memory is not")
    figures = {"reference": reference, "ratio": ratio, "agree": equal, "difference": difference, "notes": notes}
    record(options.json, title, ours, memory_ratio=memory, **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())
