"""Exact search: every embedding is compared with every query, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from reidzoo.gallery.part import Part
from reidzoo.neighbours.distances import TILE, exact_matmul
from reidzoo.neighbours.tiles import EMPTY, merge_tile, unpack

__all__ = ["ExactIndex"]

QUERIES = 512  # at a time: 4 MiB of similarities


class ExactIndex:
    """Finds the nearest rows by streaming over all of them; what it needs beyond them does not grow with their number.

    Equal similarities are ordered by the row. A product is always of a tile of the same shape, so that images with
    equal embeddings have equal similarities.
    """

    def search(
        self, parts: Sequence[Part], queries: Tensor, k: int, allowed: Sequence[np.ndarray] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and cosine similarities of the ``k`` nearest images of each query.

        Args:
            parts: the gallery, whose rows are counted through all parts.
            queries: float32 (Q, D), of norm 1.
            k: how many.
            allowed: for each part a bool (n,), the images that may be found; None for all.

        Returns:
            int64 (Q, k) and float32 (Q, k), nearest first; -inf where there are fewer images.
        """
        blocks = [self._block(parts, block, k, allowed) for block in queries.split(QUERIES)]
        rows, similarities = (torch.cat(pieces) for pieces in zip(*blocks))
        return rows.numpy(), similarities.numpy()

    def _block(
        self, parts: Sequence[Part], queries: Tensor, k: int, allowed: Sequence[np.ndarray] | None
    ) -> tuple[Tensor, Tensor]:
        best = torch.full((len(queries), k), EMPTY)
        floor = torch.full((len(queries),), -torch.inf, dtype=torch.float32)
        tile = torch.empty(len(queries), TILE, dtype=torch.float32)
        first = 0
        with exact_matmul(queries.device):
            for number, part in enumerate(parts):
                for start in range(0, len(part), TILE):
                    stop = min(start + TILE, len(part))
                    open_rows = None if allowed is None else allowed[number][start:stop]
                    if open_rows is not None and not open_rows.any():
                        continue
                    torch.mm(queries, part.table.tile(start, TILE).T, out=tile)
                    tile[:, stop - start :] = -torch.inf
                    if open_rows is not None:
                        tile[:, : stop - start].masked_fill_(torch.from_numpy(~open_rows), -torch.inf)
                    # A later row of equal similarity comes behind, so that most tiles have nothing to merge.
                    if bool((tile.amax(dim=1) > floor).any()):
                        merge_tile(tile, best, floor, 0, first + start)
                first += len(part)
        rows, similarities = unpack(best)
        return rows, similarities.masked_fill(best == EMPTY, -torch.inf)
