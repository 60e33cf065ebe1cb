"""An evaluation together with its model, and what several pictures of it share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reidzoo.evaluation.intervals import bootstrap_band
from reidzoo.inference import ReadyModel
from reidzoo.reporting.embedding import EmbeddingMap, embedding_map
from reidzoo.reporting.retrieval import Retrieval

__all__ = ["Subject"]

EACH = 2
"""Queries of each kind."""


@dataclass(frozen=True)
class Subject:
    """An evaluation whose pictures are drawn.

    Attributes:
        retrieval: the evaluation.
        model: whose it is.
    """

    retrieval: Retrieval
    model: ReadyModel

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images that the model takes, for the proportions of those on pictures."""
        return self.model.size

    @cached_property
    def map(self) -> EmbeddingMap:
        """The map of the embeddings, laid out once for all pictures of it."""
        return embedding_map(self.retrieval)

    @cached_property
    def band(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The CMC and the ends of its interval, (K,) each."""
        result = self.retrieval.result
        ranks = np.arange(1, len(result.cmc) + 1)
        known = result.first_ranks > 0
        counts = known.sum(1)
        hits = ((result.first_ranks[:, :, None] <= ranks) & known[:, :, None]).sum(1).astype(np.float64)
        hits = np.divide(hits, counts[:, None], out=np.full(hits.shape, np.nan), where=counts[:, None] > 0)
        return result.cmc, *bootstrap_band(hits, self.retrieval.query_pids)

    @cached_property
    def chosen(self) -> list[tuple[str, int]]:
        """The best, median and worst queries that count: what each is, and its row."""
        precision, valid = self.retrieval.result.per_query_ap, np.flatnonzero(self.retrieval.lists.match >= 0)
        order = valid[np.argsort(-precision[valid], kind="stable")]
        last, middle = len(order) - EACH, max((len(order) - EACH) // 2, 0)
        found: dict[int, str] = {}
        for name, first in (("best", 0), ("median", middle), ("worst", max(last, 0))):
            for row in order[first : first + EACH].tolist():
                found.setdefault(row, name)
        return [(name, row) for row, name in found.items()]
