"""A part of a gallery: a few thousand embeddings with their records."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reidzoo.errors import GalleryError
from reidzoo.gallery.records import Entry
from reidzoo.neighbours.distances import TILE
from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["PART_ROWS", "Part"]

PART_ROWS = 2 * TILE
"""Most images of a part: as many are written, and at most as many are lost by a crash while images are added."""


class Part:
    """Some images of a gallery; it never changes, and a gallery changes by exchanging parts.

    Args:
        number: unique in the gallery's life.
        entries: n records, at least one.
        features: float32 (n, D), of norm 1.

    Raises:
        GalleryError: not one record for each row, or rows that are not of norm 1.
        EvaluationInputError: NaN or infinite features.
    """

    def __init__(self, number: int, entries: Sequence[Entry], features: Tensor) -> None:
        self.number, self.entries = number, list(entries)
        self.table = FeatureTable(features, f"part {number}")
        if len(self.table) != len(self.entries):
            raise GalleryError(f"part {number} has {len(self.entries)} records and {len(self.table)} embeddings")
        if abs(self.table.norms - 1).max() > 1e-3:
            raise GalleryError(f"part {number} holds embeddings that are not of norm 1")

    def __len__(self) -> int:
        return len(self.entries)

    def features(self) -> Tensor:
        """Return all embeddings, float32 (n, D); they may lie in the mapped file."""
        return self.table.rows(0, len(self))

    def without(self, names: set[str], number: int) -> Part | None:
        """Return a part of this ``number`` without the images of ``names``; None if no image is left."""
        kept = [row for row, entry in enumerate(self.entries) if entry.name not in names]
        if not kept:
            return None
        return Part(number, [self.entries[row] for row in kept], self.features()[torch.tensor(kept)])

    def extended(self, entries: Sequence[Entry], features: Tensor, number: int) -> Part:
        """Return a part of this ``number`` with further images behind its own."""
        return Part(number, [*self.entries, *entries], torch.cat([self.features(), features]))
