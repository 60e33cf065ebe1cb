"""Finds the identities that a model takes for one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidzoo.evaluation import RankLists

__all__ = ["Confusion", "confusions"]


@dataclass(frozen=True)
class Confusion:
    """Two identities, one of which was found when the other was looked for.

    Attributes:
        pids: the two, the lower first.
        queries: rows of the queries of either whose first counted image shows the other; those that are nearest to a
            mistake, where there is none. The worst first.
        total: queries of either that have a match.
        margin: how much nearer the other is than the right one, on average over ``queries``.
    """

    pids: tuple[int, int]
    queries: tuple[int, ...]
    total: int
    margin: float


def confusions(lists: RankLists, query_pids: np.ndarray, gallery_pids: np.ndarray, count: int) -> list[Confusion]:
    """Return the ``count`` most confused pairs of identities: those with most mistakes, then of the widest margin.

    A query is a mistake if its first counted image is of another identity, a tie among them; over all pairs that is
    what rank-1 lacks. Where no query is one, the pairs are those that come nearest to it.

    Args:
        lists: of Q queries.
        query_pids: int64 (Q,).
        gallery_pids: int64 (G,).
        count: pairs to return; there may be fewer.
    """
    judged = (lists.match >= 0) & (lists.other >= 0)
    rows = np.flatnonzero(lists.missed if lists.missed.any() else judged)
    margins = lists.match_distance[rows] - lists.other_distance[rows]
    pairs = np.sort(np.stack([query_pids[rows], gallery_pids[lists.other[rows]]], axis=1), axis=1)
    valid_pids, valid_counts = np.unique(query_pids[lists.match >= 0], return_counts=True)
    queries_of = dict(zip(valid_pids.tolist(), valid_counts.tolist()))
    found = []
    for first, second in np.unique(pairs, axis=0).tolist():
        places = np.flatnonzero((pairs == (first, second)).all(axis=1))
        places = places[np.argsort(-margins[places], kind="stable")]
        total = queries_of.get(first, 0) + queries_of.get(second, 0)
        found.append(Confusion((first, second), tuple(rows[places].tolist()), total, float(margins[places].mean())))
    worst = sorted(found, key=lambda pair: (-len(pair.queries), -pair.margin, pair.pids))
    if not lists.missed.any():
        worst = sorted(found, key=lambda pair: (-pair.margin, pair.pids))
    return worst[:count]
