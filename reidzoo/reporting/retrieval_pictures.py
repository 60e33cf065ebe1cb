"""Pictures of what a model finds on a test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reidzoo.errors import UserError
from reidzoo.evaluation import RocCurve
from reidzoo.reporting.attention import attention
from reidzoo.reporting.confusions import Confusion, confusions
from reidzoo.reporting.image_rows import gallery_tiles, tile
from reidzoo.reporting.picture import Picture, Table
from reidzoo.reporting.retrieval import Retrieval
from reidzoo.reporting.subject import Subject
from reidzoo.visualization import Strip, cmc_plot, distance_histogram_plot, embedding_map_plot, roc_plot

__all__ = ["RETRIEVAL_PICTURES"]

LENGTH = 10
"""Images behind a query."""
PAIRS = 6
"""Pairs of identities."""
COLOURED = 14
"""Identities with a colour and a shape."""
FEW = 10
"""Fewer pairs than this make no rate."""
RATE = 0.001
"""False accepts of the threshold that is drawn."""


def rank_lists(subject: Subject) -> Picture:
    """Return the rank lists of the best, median and worst queries."""
    retrieval = subject.retrieval
    strips, rows = [], []
    for name, row in subject.chosen:
        precision = 100 * retrieval.result.per_query_ap[row]
        title = f"{name}: AP {precision:.1f} %"
        tiles = list(gallery_tiles(retrieval, row, LENGTH, subject.size))
        strips.append(Strip(title, tiles))
        rows.append((name, f"{precision:.1f}", *(f"{t.mark} {t.caption}" for t in tiles[1:])))
    text = (
        f"The images nearest to a query, with their {retrieval.axis}: ✓ a true match, ✗ another identity, – not "
        "counted by the protocol (such as the query's identity under its own camera), · junk."
    )
    most = max(len(row) for row in rows) - 2
    padded = [(*row, *[""] * (most + 2 - len(row))) for row in rows]
    table = Table(("query", "AP, %", *map(str, range(1, most + 1))), padded)
    return Picture("rank-lists", "The best, the median and the worst queries", text, strips=strips, table=table)


def confused(subject: Subject) -> Picture:
    """Return the pairs of identities that are taken for one another most often."""
    retrieval = subject.retrieval
    pairs = confusions(retrieval.lists, retrieval.query_pids, retrieval.gallery_pids, PAIRS)
    missed, counted = int(retrieval.lists.missed.sum()), int((retrieval.lists.match >= 0).sum())
    text = f"{missed:,} of {counted:,} queries find another identity first. "
    text += "The pairs that are confused most often" if any(p.mistakes for p in pairs) else "The nearest to a mistake"
    text += ": a query, what it found, and its own nearest match."
    called = retrieval.names.person
    rows = [(*map(called, pair.pids), str(pair.mistakes), str(pair.total), f"{pair.margin:+.3f}") for pair in pairs]
    head = ("identity", "identity", "mistakes", "queries of both", f"nearer by ({retrieval.axis})")
    strips = [_pair_strip(subject, pair) for pair in pairs]
    return Picture("confusions", "Who is taken for whom", text, strips=strips, table=Table(head, rows))


def _pair_strip(subject: Subject, pair: Confusion) -> Strip:
    retrieval, lists, names = subject.retrieval, subject.retrieval.lists, subject.retrieval.names
    tiles = []
    for row in pair.queries[: LENGTH // 4]:
        tiles.append(tile(retrieval.query[row], "query", subject.size, "query", names=names))
        sides = (("wrong", lists.other, lists.other_distance), ("right", lists.match, lists.match_distance))
        for mark, columns, distances in sides:
            value = f"{retrieval.shown(distances[row]):.3f}"
            words = f"{retrieval.axis} {value}"
            tiles.append(tile(retrieval.gallery[columns[row]], mark, subject.size, value, words, names))
    name = "identities " + " and ".join(map(names.person, pair.pids))
    return Strip(f"{name}: {pair.mistakes} of {pair.total} queries" if pair.mistakes else name, tiles)


def cmc(subject: Subject) -> Picture:
    """Return the CMC with its interval."""
    curve, low, high = subject.band
    rows = [
        (f"rank-{rank}", *(f"{100 * values[rank - 1]:.1f}" for values in (curve, low, high)))
        for rank in (1, 5, 10, 20, 50)
        if rank <= len(curve)
    ]
    text = "How many queries have a match among the first so many images; the interval is over the identities."
    svg = cmc_plot(curve, low, high, f"CMC on {subject.retrieval.title}")
    return Picture("cmc", "CMC", text, svg, table=Table(("", "%", "from", "to"), rows))


def distances(subject: Subject) -> Picture:
    """Return the histograms of the distances of pairs of one identity and of two."""
    retrieval = subject.retrieval
    roc = _curve(retrieval)
    same, different = (np.diff(share) for share in (roc.tpr, roc.fpr))
    edges = np.array([retrieval.shown(value) for value in roc.thresholds])
    if retrieval.similarity:
        edges, same, different = edges[::-1], same[::-1], different[::-1]
    lines = _thresholds(subject, roc)
    drawn = {name: retrieval.shown(distance) for name, distance in lines.items()}
    at = [max(int(np.searchsorted(roc.thresholds, value, side="right")) - 1, 0) for value in lines.values()]
    rows = [
        (name, f"{value:.3f}", f"{100 * roc.tpr[place]:.1f}", f"{100 * roc.fpr[place]:.3g}")
        for (name, value), place in zip(drawn.items(), at)
    ]
    table = Table(("threshold", retrieval.axis, "same pairs accepted, %", "different pairs accepted, %"), rows)
    text = "Every query with every image that counts. The first two thresholds are read off this test set: they "
    text += "describe it, and would do worse on others."
    calibration = subject.model.calibration
    if calibration is not None and len(lines) > 2:
        text += f" The third is the model's own, measured on {calibration.facts.get('data', 'other images')}."
    svg = distance_histogram_plot(edges, same, different, drawn, f"Pairs of {retrieval.title}", retrieval.axis)
    return Picture("distances", "Same or different", text, svg, table=table)


def _thresholds(subject: Subject, roc: RocCurve) -> dict[str, float]:
    """Return what a threshold says -> its distance; the model's own is the last, if it is calibrated."""
    place = max(int(np.searchsorted(roc.fpr, RATE, side="right")) - 1, 0)
    equal = int(np.argmin(np.abs(roc.fpr - (1 - roc.tpr))))
    lines = {
        f"{100 * RATE:g} % false accepts": float(roc.thresholds[place]),
        "as many misses as false accepts": float(roc.thresholds[equal]),
    }
    calibration = subject.model.calibration
    if calibration is not None and subject.retrieval.similarity:
        lines[f"calibrated, for {100 * calibration.far:g} %"] = 1 - calibration.threshold
    return lines


def roc(subject: Subject) -> Picture:
    """Return the ROC of telling pairs of one identity from others."""
    retrieval = subject.retrieval
    curve = _curve(retrieval)
    rows = [(f"{100 * rate:g}", f"{100 * value:.1f}") for rate, value in curve.tpr_at.items()]
    text = f"{curve.num_positive:,} pairs of one identity, {curve.num_negative:,} of different ones."
    few = [f"{100 * rate:g} %" for rate in curve.tpr_at if rate * curve.num_negative < FEW]
    if few:
        text += f" {' and '.join(few)} of these are fewer than {FEW}: what is read there hangs on single pairs."
    svg = roc_plot(curve.fpr, curve.tpr, curve.tpr_at, f"ROC on {retrieval.title}")
    return Picture("roc", "ROC", text, svg, table=Table(("different pairs accepted, %", "same accepted, %"), rows))


def _curve(retrieval: Retrieval) -> RocCurve:
    if retrieval.roc is None:
        raise UserError(f"{retrieval.title} has one identity, so that no two images show different ones")
    return retrieval.roc


def identities(subject: Subject) -> Picture:
    """Return the map of the embeddings, some identities coloured."""
    laid = subject.map
    pids, counts = np.unique(laid.pids, return_counts=True)
    shown = np.sort(pids[np.argsort(-counts, kind="stable")][:COLOURED]).tolist()
    bound = (
        f" ({100 * laid.most_identity:.0f} % at most: some have less than 6 images)" if laid.most_identity < 1 else ""
    )
    text = (
        f"t-SNE of {len(laid.points)} images of {len(pids)} identities, {len(shown)} of them coloured. Of an image's 5 "
        f"nearest others {100 * laid.same_identity:.0f} % show its identity{bound}."
    )
    named = {pid: f"id {subject.retrieval.names.person(pid)}" for pid in shown}
    svg = embedding_map_plot(laid.points, laid.pids, named, "Embeddings by identity", text)
    return Picture("identities", "Embeddings by identity", text, svg)


def cameras(subject: Subject) -> Picture:
    """Return the map of the embeddings, coloured by camera."""
    laid = subject.map
    shown: Sequence[int] = np.unique(laid.camids)[:35].tolist()
    text = (
        f"The same map by camera: of an image's 5 nearest others {100 * laid.same_camera:.0f} % are by its camera; "
        f"{100 * laid.camera_chance:.0f} % would be, were cameras of no account."
    )
    named = {camid: f"camera {subject.retrieval.names.camera(camid)}" for camid in shown}
    svg = embedding_map_plot(laid.points, laid.camids, named, "Embeddings by camera", text)
    return Picture("cameras", "Embeddings by camera", text, svg)


RETRIEVAL_PICTURES: dict[str, Callable[[Subject], Picture]] = {
    "rank-lists": rank_lists,
    "confusions": confused,
    "attention": attention,
    "cmc": cmc,
    "distances": distances,
    "roc": roc,
    "identities": identities,
    "cameras": cameras,
}
"""Kind -> what makes the picture of an evaluation."""
