"""A scale to read a similarity by: those of one and of two identities in a gallery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidzoo.gallery.store import Store

__all__ = ["PairScale", "measure_pairs"]

SAMPLE = 1500


@dataclass(frozen=True)
class PairScale:
    """Similarities of the pairs among a sample of a gallery's images.

    Attributes:
        same: the median of the pairs of one identity.
        different: that of two identities.
        high: the similarities of two identities at their 90th, 99th and 99.9th percentile.
        pairs: how many pairs of one identity and of two there were.
    """

    same: float
    different: float
    high: tuple[float, float, float]
    pairs: tuple[int, int]

    def describe(self, similarity: float) -> str:
        """Return in words where a similarity lies among those of the gallery."""
        shares = [
            share
            for value, share in zip(self.high, ("one in ten", "one in 100", "one in 1,000"))
            if similarity >= value
        ]
        reached = (
            f"fewer than {shares[-1]} pairs of two identities reach it"
            if shares
            else ("more than one in ten pairs of two identities reach it")
        )
        return (
            f"For scale: in this gallery the similarity of two pictures of one identity is {self.same:.2f} (median), "
            f"of two identities {self.different:.2f}; {reached}."
        )


def measure_pairs(store: Store, count: int = SAMPLE) -> PairScale | None:
    """Return the scale of a gallery; None where identities are unknown or have one image each.

    Args:
        store: the gallery's.
        count: images of the sample.
    """
    entries, features = store.sample(count)
    rows = [row for row, entry in enumerate(entries) if entry.identity is not None]
    identities = np.array([entries[row].identity for row in rows])
    upper = np.triu_indices(len(rows), 1)
    products = (features[rows] @ features[rows].T).numpy()[upper]
    same = identities[upper[0]] == identities[upper[1]]
    if not same.any() or same.all():
        return None
    others = products[~same]
    high = np.quantile(others, [0.9, 0.99, 0.999])
    return PairScale(
        float(np.median(products[same])),
        float(np.median(others)),
        (float(high[0]), float(high[1]), float(high[2])),
        (int(same.sum()), len(others)),
    )
