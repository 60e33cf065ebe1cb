"""Pictures of what a model finds on a test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from reidzoo.errors import UserError
from reidzoo.evaluation import RocCurve
from reidzoo.reporting.attention import attention
from reidzoo.reporting.confusions import Confusion, confusions
from reidzoo.reporting.image_rows import gallery_tiles, tile, titled
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
"""Fewer pairs of different identities than this make no rate."""
RATE = 0.001
"""False accepts of the threshold that is drawn."""


def rank_lists(subject: Subject) -> Picture:
    """Return the rank lists of the best, median and worst queries."""
    retrieval = subject.retrieval
    strips, rows = [], []
    for name, row in subject.chosen:
        tiles = list(gallery_tiles(retrieval, row, LENGTH, subject.size))
        strips.append(Strip(subject.title(name, row), tiles))
        cells = [", ".join(filter(None, (t.mark, t.who, t.caption))) for t in tiles[1:]]
        rows.append((f"{name}: {titled(retrieval.query[row], retrieval.names)}", subject.precision(row), *cells))
    text = (
        f"The images nearest to a query, with their {retrieval.axis}: ✓ a true match, ✗ another identity, – not "
        "counted by the protocol (such as the query's identity under its own camera), · junk."
    )
    most = max(len(row) for row in rows) - 2
    padded = [(*row, *[""] * (most + 2 - len(row))) for row in rows]
    table = Table(("query", "AP, %", *map(str, range(1, most + 1))), padded)
    title = "Chosen queries" if subject.queries else "The best, the median and the worst queries"
    return Picture("rank-lists", title, text, strips=strips, table=table)


def confused(subject: Subject) -> Picture:
    """Return the pairs of identities that are taken for one another most often."""
    retrieval = subject.retrieval
    pairs = confusions(retrieval.lists, retrieval.query_pids, retrieval.gallery_pids, PAIRS)
    if not pairs:
        raise UserError(f"{retrieval.title} has no two identities that could be taken for one another")
    missed, counted = int(retrieval.lists.missed.sum()), int((retrieval.lists.match >= 0).sum())
    text = f"{missed:,} of {counted:,} queries find another identity first. "
    if any(pair.mistakes for pair in pairs):
        text += "The pairs that are confused most often: a query, what it found, and its own nearest match."
    else:
        text += "The pairs that come nearest to it: a query, its nearest match, and the nearest image of the other."
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
        other, match = (lists.other, lists.other_distance), (lists.match, lists.match_distance)
        sides = {"wrong": other, "right": match} if pair.mistakes else {"right": match, "plain": other}
        for mark, (columns, distances) in sides.items():
            value = f"{retrieval.shown(distances[row]):.3f}"
            words = f"{retrieval.axis} {value}"
            tiles.append(tile(retrieval.gallery[columns[row]], mark, subject.size, value, words, names))
    name = "identities " + " and ".join(map(names.person, pair.pids))
    return Strip(f"{name}: {pair.mistakes} of {pair.total} queries" if pair.mistakes else name, tiles)


def cmc(subject: Subject) -> Picture:
    """Return the CMC with its interval."""
    curve, *ends = subject.band
    text = "How many queries have a match among the first so many images"
    if subject.few:
        ends = []
        text += f"; {subject.people} identities are too few for an interval."
    else:
        text += f"; the interval is over the {subject.people} identities."
        if (ends[0] == ends[1]).any():
            text += " Where all of them are matched it has no width, which is no promise for others."
    rows = [
        (f"rank-{rank}", *(f"{100 * values[rank - 1]:.1f}" for values in (curve, *ends)))
        for rank in (1, 5, 10, 20, 50)
        if rank <= len(curve)
    ]
    svg = cmc_plot(curve, ends, f"CMC on {subject.retrieval.title}")
    return Picture("cmc", "CMC", text, svg, table=Table(("", "%", "from", "to")[: 2 + len(ends)], rows))


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
    text = (
        f"Every query with every image that counts: {roc.num_positive:,} pairs of one identity and "
        f"{roc.num_negative:,} of different ones, each kind in percent of its own. Thresholds are read off this test "
        "set: they describe it, and would do worse on others"
    )
    calibration = subject.model.calibration
    if calibration is not None and retrieval.similarity:
        text += f"; the calibrated one is the model's, measured on {calibration.facts.get('data', 'other images')}"
    text += f". {_caveat(roc, [RATE])}"
    svg = distance_histogram_plot(edges, same, different, drawn, f"Pairs of {retrieval.title}", retrieval.axis)
    return Picture("distances", "Same or different", text, svg, table=table)


def _thresholds(subject: Subject, roc: RocCurve) -> dict[str, float]:
    """Return what a threshold says -> its distance; the model's own is the last, if it is calibrated."""
    lines, equal = {}, int(np.argmin(np.abs(roc.fpr - (1 - roc.tpr))))
    if RATE * roc.num_negative >= 1:
        place = max(int(np.searchsorted(roc.fpr, RATE, side="right")) - 1, 0)
        lines[f"{100 * RATE:g} % false accepts"] = float(roc.thresholds[place])
    lines["as many misses as false accepts"] = float(roc.thresholds[equal])
    calibration = subject.model.calibration
    if calibration is not None and subject.retrieval.similarity:
        lines[f"calibrated, for {100 * calibration.far:g} %"] = 1 - calibration.threshold
    return lines


def roc(subject: Subject) -> Picture:
    """Return the ROC of telling pairs of one identity from others."""
    retrieval = subject.retrieval
    curve = _curve(retrieval)
    marks = {rate: value for rate, value in curve.tpr_at.items() if rate * curve.num_negative >= 1}
    rows = [(f"{100 * rate:g}", f"{100 * value:.1f}") for rate, value in marks.items()]
    text = f"{curve.num_positive:,} pairs of one identity, {curve.num_negative:,} of different ones. "
    text += _caveat(curve, curve.tpr_at)
    svg = roc_plot(curve.fpr, curve.tpr, marks, f"ROC on {retrieval.title}")
    return Picture("roc", "ROC", text, svg, table=Table(("different pairs accepted, %", "same accepted, %"), rows))


def _caveat(curve: RocCurve, rates: Iterable[float]) -> str:
    """Return which rates so few pairs decide that nothing, or not much, can be read there."""
    none = [f"{100 * rate:g} %" for rate in rates if rate * curve.num_negative < 1]
    few = [f"{100 * rate:g} %" for rate in rates if 1 <= rate * curve.num_negative < FEW]
    said = []
    if none:
        said.append(f"{', '.join(none)} of the different pairs would be less than one: not drawn.")
    if few:
        said.append(f"{', '.join(few)} of them are fewer than {FEW}: what is read there hangs on single pairs.")
    return " ".join(said)


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
    table = _spread(laid.spread(laid.pids), "identity", subject.retrieval.names.person)
    return Picture("identities", "Embeddings by identity", text, svg, table=table)


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
    table = _spread(laid.spread(laid.camids), "camera", subject.retrieval.names.camera)
    return Picture("cameras", "Embeddings by camera", text, svg, table=table)


def _spread(rows: Sequence[tuple[int, int, float, float]], what: str, call: Callable[[int], str]) -> Table:
    """Return the table of ``EmbeddingMap.spread``."""
    cells = [
        (call(label), str(count), *("" if np.isnan(value) else f"{value:.3f}" for value in means))
        for label, count, *means in rows
    ]
    return Table((what, "images", "mean cosine among them", "with all others"), cells)


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
