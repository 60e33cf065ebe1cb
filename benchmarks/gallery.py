"""Time a gallery's approximate search against its exact one: recall, latency of single queries, and memory.

    python benchmarks/gallery.py                                     # small, seconds
    python benchmarks/gallery.py --images 1000000 --queries 100      # a million: a few minutes, and 3 GB

The features are synthetic: people of twenty images, some blurrier than others, in 64 true dimensions. The exact search
is the reference; the ratio is of the seconds that all queries take, one at a time. Memory is the peak beyond the
embeddings: for the approximate search that of its index, built before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from common import labelled_features, measured, memory_ratio, parser, record

from reidzoo.gallery import Entry
from reidzoo.gallery.exact_index import ExactIndex
from reidzoo.gallery.faiss_index import FaissIndex
from reidzoo.gallery.part import PART_ROWS, Part

LEAST_RECALL = 0.8


def cut(features: torch.Tensor) -> list[Part]:
    """Return the parts of a gallery that holds ``features``."""
    blocks = features.split(PART_ROWS)
    return [Part(number, [Entry("")] * len(block), block) for number, block in enumerate(blocks, 1)]


def one_by_one(index: ExactIndex | FaissIndex, parts: list[Part], queries: torch.Tensor, k: int) -> list[np.ndarray]:
    """Return the rows that are found for each query, and the seconds that it took."""
    rows, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        rows.append(index.search(parts, query[None], k, None)[0][0])
        seconds.append(time.perf_counter() - start)
    return [np.stack(rows), np.array(seconds)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison, print it, and return 1 if too many of the nearest images are missed."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--queries", type=int, default=50)
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--matches", type=int, default=10)
    options.add_argument("--probes", type=float, default=FaissIndex().probes, help="share of the cells looked into")
    options = options.parse_args(argv)
    features = labelled_features(options.images + options.queries, options.dim, 20, seed=0)[0]
    parts, queries = cut(features[: options.images]), features[options.images :]

    index = FaissIndex(options.probes, least=1)
    built = measured(lambda: index.search(parts, queries[:1], options.matches, None))
    ours = measured(lambda: one_by_one(index, parts, queries, options.matches))
    ours = ours._replace(peak=max(ours.peak, built.peak))
    title = f"gallery, {options.images:,} x {options.dim}, {options.matches} matches of {options.queries} queries"
    print(title)
    print(ours.line("faiss", f"median {1000 * np.median(ours.answer[1]):.1f} ms a query"))
    notes = [f"the index takes {built.seconds:.1f} s to build"]
    notes += [f"faiss: median {1000 * np.median(ours.answer[1]):.1f} ms a query"]
    if options.skip_reference:
        print(notes[0])
        record(options.json, title, ours, notes=notes)
        return 0
    exact = measured(lambda: one_by_one(ExactIndex(), parts, queries, options.matches))
    print(exact.line("exact", f"median {1000 * np.median(exact.answer[1]):.1f} ms a query"))
    notes += [f"exact: median {1000 * np.median(exact.answer[1]):.1f} ms"]
    pairs = zip(ours.answer[0], exact.answer[0])
    recall = float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in pairs]))
    ratio, memory = exact.seconds / ours.seconds, memory_ratio(ours, exact)
    difference = f"recall of the exact {options.matches} nearest: {recall:.3f}"
    print(f"ratio {ratio:.1f} x, memory {memory:.2f} x; {notes[0]}")
    print(difference)
    agree = recall >= LEAST_RECALL
    figures = {"reference": exact, "ratio": ratio, "agree": agree, "difference": difference, "notes": notes}
    record(options.json, title, ours, memory_ratio=memory, **figures)
    return int(not agree)


if __name__ == "__main__":
    raise SystemExit(main())
