"""The result of a ranking evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reidzoo.evaluation.roc import RocCurve

__all__ = ["RankingResult"]


@dataclass(frozen=True)
class RankingResult:
    """Retrieval measures; all are fractions in [0, 1].

    Attributes:
        mAP: mean average precision over the queries that have a true match.
        cmc: float64 (max_rank,); ``cmc[k - 1]`` is rank-k: the share of those queries with a match among the first k.
        mINP: mean inverse negative penalty.
        num_queries: rows on the query side (of the pool, where the protocol draws queries from it).
        num_valid_queries: those of them with a true match; the others are not counted.
        per_query_ap: float64 (num_queries,), NaN where a query is not counted; the mean over trials if there are
            several.
        protocol: name of the protocol.
        metric: name of the distance.
        ap: ``step`` or ``trapezoid``.
        trials: number of galleries drawn, 1 if nothing is drawn.
        first_ranks: int64 (num_queries, trials), the rank of each query's first true match; 0 where it is not counted.
        roc: the verification curve, if it was asked for.
    """

    mAP: float
    cmc: np.ndarray = field(repr=False)
    mINP: float
    num_queries: int
    num_valid_queries: int
    per_query_ap: np.ndarray = field(repr=False)
    protocol: str
    metric: str
    ap: str
    trials: int = 1
    first_ranks: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int64), repr=False)
    roc: RocCurve | None = field(default=None, repr=False)

    def figures(self) -> dict[str, float]:
        """Return the measures by name: ``mAP``, ``rank-1``, 5, 10 and 20 as far as ``cmc`` reaches, ``mINP``, and
        ``TPR@FPR=0.01`` for each rate of ``roc``."""
        ranks = {f"rank-{k}": float(self.cmc[k - 1]) for k in (1, 5, 10, 20) if k <= len(self.cmc)}
        rates = self.roc.tpr_at.items() if self.roc is not None else ()
        return {"mAP": self.mAP, **ranks, "mINP": self.mINP, **{f"TPR@FPR={rate:g}": tpr for rate, tpr in rates}}

    def to_dict(self) -> dict[str, Any]:
        """Return ``figures`` and what they are of, as plain numbers and strings for logs and JSON."""
        values: dict[str, Any] = self.figures()
        values.update(num_queries=self.num_queries, num_valid_queries=self.num_valid_queries, trials=self.trials)
        values.update(protocol=self.protocol, metric=self.metric, ap=self.ap)
        return values
