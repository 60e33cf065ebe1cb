"""The base class of what holds the embeddings and records of a gallery."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from torch import Tensor

from reidzoo.gallery.records import Entry, Hit, ModelRecord

__all__ = ["Store"]


class Store(ABC):
    """Holds embeddings with their records, and finds the nearest ones.

    A store has no model and sees no pixels; ``Gallery`` embeds images and hands it rows of norm 1.

    Attributes:
        model: whose embeddings it holds.
    """

    model: ModelRecord

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abstractmethod
    def entries(self) -> Iterable[Entry]:
        """Return the records of all images."""

    @abstractmethod
    def known(self, names: Sequence[str]) -> set[str]:
        """Return those of ``names`` that are there."""

    @abstractmethod
    def cameras(self) -> list[str]:
        """Return the cameras that are known, sorted as people count."""

    def identity_counts(self) -> dict[str, int]:
        """Return the number of images of each identity that is known."""
        return Counter(entry.identity for entry in self.entries() if entry.identity is not None)

    @abstractmethod
    def add(self, entries: Sequence[Entry], features: Tensor) -> None:
        """Add images; when this returns they are kept, and if it does not, all or some of them are.

        Args:
            entries: their records, whose names are not there yet.
            features: float32 (n, D), of norm 1.
        """

    @abstractmethod
    def remove(self, names: Collection[str]) -> int:
        """Remove the images of these names for good, and return how many there were."""

    @abstractmethod
    def search(self, queries: Tensor, k: int, cameras: Collection[str] | None) -> list[list[Hit]]:
        """Return up to ``k`` nearest images of each query, by falling cosine similarity.

        Args:
            queries: float32 (Q, D), of norm 1.
            k: at least 1.
            cameras: only images of these; None for all images.
        """

    @abstractmethod
    def features(self, hits: Sequence[Hit]) -> Tensor:
        """Return the embeddings of what a search found, float32 (n, D)."""

    @abstractmethod
    def sample(self, count: int) -> tuple[list[Entry], Tensor]:
        """Return the records and embeddings of up to ``count`` images, spread over all; the same ones every time."""
