"""An evaluation together with its model, and what several pictures of it share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from reidzoo.errors import UserError
from reidzoo.evaluation.intervals import bootstrap_band
from reidzoo.inference import ReadyModel
from reidzoo.reporting.embedding import EmbeddingMap, embedding_map
from reidzoo.reporting.image_rows import titled
from reidzoo.reporting.retrieval import Retrieval
from reidzoo.suggest import did_you_mean

__all__ = ["Subject"]

EACH = 2
"""Queries of each kind."""
PEOPLE = 10
"""Identities that an interval over identities takes: of fewer, draws repeat one another."""


@dataclass(frozen=True)
class Subject:
    """An evaluation whose pictures are drawn.

    Attributes:
        retrieval: the evaluation.
        model: whose it is.
        queries: those to show, by the end of their path or by their number from 1; () for the best, median and worst.
    """

    retrieval: Retrieval
    model: ReadyModel
    queries: Sequence[str] = ()

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
    def people(self) -> int:
        """How many identities have a query that counts."""
        return len(np.unique(self.retrieval.query_pids[self.retrieval.lists.match >= 0]))

    @property
    def few(self) -> bool:
        """Whether they are too few for an interval over identities."""
        return self.people < PEOPLE

    @cached_property
    def chosen(self) -> list[tuple[str, int]]:
        """The queries that are asked for, or the best, median and worst that count: what each is, and its row.

        Raises:
            UserError: there is no such query, or there are several.
        """
        if self.queries:
            return [(f"query {row + 1}", row) for row in map(self._row, self.queries)]
        precision, valid = self.retrieval.result.per_query_ap, np.flatnonzero(self.retrieval.lists.match >= 0)
        order = valid[np.argsort(-precision[valid], kind="stable")]
        last, middle = len(order) - EACH, max((len(order) - EACH) // 2, 0)
        found: dict[int, str] = {}
        for name, first in (("best", 0), ("median", middle), ("worst", max(last, 0))):
            for row in order[first : first + EACH].tolist():
                found.setdefault(row, name)
        return [(name, row) for row, name in found.items()]

    def precision(self, row: int) -> str:
        """Return the average precision of a query in percent, "" where it has no match."""
        value = self.retrieval.result.per_query_ap[row]
        return "" if np.isnan(value) else f"{100 * value:.1f}"

    def title(self, name: str, row: int) -> str:
        """Return who a query is, its file and its average precision."""
        found = f"AP {precision} %" if (precision := self.precision(row)) else "no match"
        return f"{name}: {titled(self.retrieval.query[row], self.retrieval.names)}, {found}"

    def _row(self, name: str) -> int:
        paths = [Path(record.path).as_posix() for record in self.retrieval.query]
        wanted = Path(name).as_posix()
        rows = [row for row, path in enumerate(paths) if f"/{path}".endswith(f"/{wanted}")]
        if not rows and name.isdecimal() and 1 <= int(name) <= len(paths):
            return int(name) - 1
        if len(rows) == 1:
            return rows[0]
        where = f"among the {len(paths)} of {self.retrieval.title}"
        if rows:
            raise UserError(f"query {name}: {len(rows)} {where} are called that; put the folder before the name")
        hint = did_you_mean(name, {Path(path).name for path in paths})
        raise UserError(f"query {name} is not {where}; name a file, or a number from 1 to {len(paths)}.{hint}")
