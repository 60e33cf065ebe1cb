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
        queries: rows of the queries of either whose nearest image of another identity shows the other one, of mistakes
            alone where there are any. The worst first.
        mistakes: how many of them find the other before a match.
        total: queries of either that have a match.
        margin: how much nearer the other is than the right one, on average over ``queries``.
    """

    pids: tuple[int, int]
    queries: tuple[int, ...]
    mistakes: int
    total: int
    margin: float


def confusions(lists: RankLists, query_pids: np.ndarray, gallery_pids: np.ndarray, count: int) -> list[Confusion]:
    """Return the ``count`` most confused pairs of identities: those with most mistakes, then of the widest margin.

    A query is a mistake if its first counted image is of another identity, a tie among them; over all pairs that is
    what rank-1 lacks. Where no query is one, the pairs are those that come nearest to it. Distractors, which are
    identity 0 where no query is of it, are many people, and make no pair.

    Args:
        lists: of Q queries.
        query_pids: int64 (Q,).
        gallery_pids: int64 (G,).
        count: pairs to return; there may be fewer.
    """
    other_pids = gallery_pids[lists.other]
    paired = (lists.match >= 0) & (lists.other >= 0) & ((other_pids != 0) | bool((query_pids == 0).any()))
    missed = lists.missed & paired
    rows = np.flatnonzero(missed if missed.any() else paired)
    margins = lists.match_distance[rows] - lists.other_distance[rows]
    pairs = np.sort(np.stack([query_pids[rows], other_pids[rows]], axis=1), axis=1)
    pids, counts = np.unique(query_pids[lists.match >= 0], return_counts=True)
    queries_of = dict(zip(pids.tolist(), counts.tolist()))
    found = []
    for first, second in np.unique(pairs, axis=0).tolist():
        places = np.flatnonzero((pairs == (first, second)).all(axis=1))
        places = places[np.argsort(-margins[places], kind="stable")]
        mistakes, total = int(missed[rows[places]].sum()), queries_of.get(first, 0) + queries_of.get(second, 0)
        queries, margin = tuple(rows[places].tolist()), float(margins[places].mean())
        found.append(Confusion((first, second), queries, mistakes, total, margin))
    return sorted(found, key=lambda pair: (-pair.mistakes, -pair.margin, pair.pids))[:count]
