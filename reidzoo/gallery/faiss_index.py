"""Approximate search of millions of images: faiss's inverted lists over half-precision embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidzoo.errors import GalleryError
from reidzoo.gallery.exact_index import ExactIndex
from reidzoo.gallery.part import Part
from reidzoo.needs import need

__all__ = ["FaissIndex"]

SHIFT = 32  # an image's number for faiss: its part's number, then its row in the part
TRAIN_ROWS = 40  # for each cell
SPARE = 4  # candidates for each match that is wanted; they are then compared exactly


class FaissIndex:
    """Looks only into those cells of the gallery whose centres are nearest to the query.

    The embeddings are put into about sqrt(N) cells by k-means; a query is compared with the images of the ``probes``
    nearest cells, in half precision, and the best candidates again with their float32 embeddings: what it finds has the
    similarities that the exact search gives, but it may miss an image in a far cell. Below ``least`` images, where the
    exact search is as fast, it is exact.

    It is built in memory when it is first needed, by the same numbers each time, and follows the gallery's changes; so
    there is no file that a crash could damage. It holds 2 D bytes an image.

    Args:
        probes: the share of the cells that are looked into, in (0, 1].
        least: images from which on it is used.

    Raises:
        UserError: faiss is not installed.
        GalleryError: an argument out of its range.
    """

    def __init__(self, probes: float = 0.2, least: int = 50_000) -> None:
        if not 0 < probes <= 1 or least < 1:
            raise GalleryError(
                f"probes={probes!r}, least={least!r}: a share of the cells in (0, 1], and at least 1 image"
            )
        self.probes, self.least = probes, least
        self._faiss = need("faiss", "faiss")
        self._exact = ExactIndex()
        self._index: Any = None
        self._numbers: set[int] = set()
        self._trained_for = 0

    def search(
        self, parts: Sequence[Part], queries: Tensor, k: int, allowed: Sequence[np.ndarray] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and cosine similarities of about the ``k`` nearest images; see ``ExactIndex.search``."""
        count = sum(map(len, parts))
        if count < self.least:
            return self._exact.search(parts, queries, k, allowed)
        self._follow(parts, count)
        candidates = self._candidates(parts, queries, min(SPARE * k, count), k, allowed)
        places = {part.number: place for place, part in enumerate(parts)}
        starts = np.cumsum([0, *map(len, parts)])
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for number, (query, ids) in enumerate(zip(queries, candidates)):
            ids = ids[ids >= 0]
            if not len(ids):
                continue
            order, values = self._compared(parts, places, query, ids)
            kept = min(k, len(order))
            part_places = np.array([places[int(one)] for one in ids[order[:kept]] >> SHIFT])
            rows[number, :kept] = starts[part_places] + (ids[order[:kept]] & (1 << SHIFT) - 1)
            similarities[number, :kept] = values[:kept]
        return rows, similarities

    def _compared(
        self, parts: Sequence[Part], places: dict[int, int], query: Tensor, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the order of candidates by their float32 similarity, then by their numbers, and the similarities."""
        features = torch.empty(len(ids), len(query), dtype=torch.float32)
        numbers = ids >> SHIFT
        for number in np.unique(numbers):
            mine = np.flatnonzero(numbers == number)
            rows = ids[mine] & ((1 << SHIFT) - 1)
            features[torch.from_numpy(mine)] = parts[places[int(number)]].table.gather(rows)
        values = (features @ query).numpy()
        order = np.lexsort((ids, -values))
        return order, values[order]

    def _candidates(
        self, parts: Sequence[Part], queries: Tensor, count: int, k: int, allowed: Sequence[np.ndarray] | None
    ) -> np.ndarray:
        """Return faiss's numbers of up to ``count`` images for each query, -1 for none, int64 (Q, count).

        Where the cells hold fewer than ``k`` images that may be found, more cells are looked into.
        """
        cells = self._index.nlist
        probes = max(round(self.probes * cells), 1)
        selector = None if allowed is None else self._selector(parts, allowed)
        wanted = min(k, self._index.ntotal if allowed is None else int(sum(rows.sum() for rows in allowed)))
        while True:
            settings = self._faiss.SearchParametersIVF(nprobe=probes, sel=selector)
            ids = self._index.search(np.ascontiguousarray(queries.numpy()), count, params=settings)[1]
            if probes == cells or ((ids >= 0).sum(axis=1) >= wanted).all():
                return ids
            probes = min(4 * probes, cells)

    def _selector(self, parts: Sequence[Part], allowed: Sequence[np.ndarray]) -> Any:
        numbers = [(part.number << SHIFT) + np.flatnonzero(rows) for part, rows in zip(parts, allowed)]
        return self._faiss.IDSelectorBatch(np.concatenate([np.empty(0, np.int64), *numbers]))

    def _follow(self, parts: Sequence[Part], count: int) -> None:
        """Bring the index to what the parts hold; parts never change, they come and go."""
        numbers = {part.number for part in parts}
        if self._index is None or count > 4 * self._trained_for or not numbers & self._numbers:
            self._index, self._numbers = self._trained(parts, count), set()
        for number in sorted(self._numbers - numbers):
            self._index.remove_ids(self._faiss.IDSelectorRange(number << SHIFT, (number + 1) << SHIFT))
        for part in parts:
            if part.number not in self._numbers:
                ids = (part.number << SHIFT) + np.arange(len(part), dtype=np.int64)
                self._index.add_with_ids(np.ascontiguousarray(part.features().numpy()), ids)
        self._numbers = numbers

    def _trained(self, parts: Sequence[Part], count: int) -> Any:
        """Return an empty index whose cells suit the parts."""
        cells = max(round(count**0.5), 1)
        step = max(count // (TRAIN_ROWS * cells), 1)
        sample = torch.cat([part.features()[::step] for part in parts]).numpy()
        dim = sample.shape[1]
        means = self._faiss.Kmeans(dim, cells, niter=6, seed=1, spherical=True, min_points_per_centroid=1)
        means.train(np.ascontiguousarray(sample))
        centres = self._faiss.IndexFlatIP(dim)
        centres.add(means.centroids)
        kind, metric = self._faiss.ScalarQuantizer.QT_fp16, self._faiss.METRIC_INNER_PRODUCT
        index = self._faiss.IndexIVFScalarQuantizer(centres, dim, cells, kind, metric)
        index.by_residual = False
        index.train(np.ascontiguousarray(sample[:cells]))  # half precision has nothing to learn; the cells are there
        self._centres, self._trained_for = centres, count  # faiss does not keep the centres alive
        return index
