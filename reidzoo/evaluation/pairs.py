"""Pairs of images with their similarities: all of one identity, and a sample of those of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.protocols import JUNK, Protocol
from reidzoo.neighbours.distances import FeatureDistances
from reidzoo.neighbours.feature_table import FeatureTable

__all__ = ["MOST_DIFFERENT", "MOST_SAME", "Pairs", "sample_pairs"]

MOST_SAME, MOST_DIFFERENT = 400_000, 2_000_000


@dataclass(frozen=True)
class Pairs:
    """N pairs of images.

    Attributes:
        similarity: float32 (N,), cosines.
        same: bool (N,), whether both images show one identity.
        first, second: int64 (N,), the identities of the two images, numbered from 0.

    Raises:
        EvaluationInputError: the arrays are not of one length, or hold something else.
    """

    similarity: np.ndarray
    same: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __post_init__(self) -> None:
        """Check the arrays."""
        shapes = {name: np.shape(values) for name, values in vars(self).items()}
        if len(set(shapes.values())) > 1 or len(np.shape(self.same)) != 1:
            raise EvaluationInputError(f"pairs: the arrays are {shapes}; give each one number (N,) for every pair")
        if self.same.dtype != bool:
            raise EvaluationInputError(f"pairs: same is {self.same.dtype}; make it bool, as by same.astype(bool)")
        if not np.isfinite(self.similarity).all():
            raise EvaluationInputError("pairs: similarity holds NaN or infinity; take the cosines of finite embeddings")

    def __len__(self) -> int:
        """Return N."""
        return len(self.same)

    @property
    def num_identities(self) -> int:
        """How many numbers of identities there are; some may have no pair."""
        return int(max(self.first.max(initial=-1), self.second.max(initial=-1))) + 1

    def take(self, chosen: np.ndarray) -> Pairs:
        """Return the chosen pairs: a bool (N,), or their numbers."""
        return Pairs(self.similarity[chosen], self.same[chosen], self.first[chosen], self.second[chosen])

    def halves(self, seed: int = 0) -> tuple[Pairs, Pairs]:
        """Return two parts that share no identity, each with the pairs within one half of the identities.

        Half of the pairs of two identities have one in each part, and are in neither.
        """
        rng = np.random.default_rng(seed)
        side = rng.integers(2, size=self.num_identities)
        matched = rng.permutation(np.unique(self.first[self.same]))
        side[matched] = np.arange(len(matched)) % 2  # as many with a match in one half as in the other
        a, b = side[self.first], side[self.second]
        return self.take((a == 0) & (b == 0)), self.take((a == 1) & (b == 1))


def sample_pairs(
    query: FeatureTable,
    gallery: FeatureTable,
    protocol: Protocol,
    most_same: int = MOST_SAME,
    most_different: int = MOST_DIFFERENT,
    seed: int = 0,
) -> Pairs:
    """Return pairs of a query and a gallery image that the protocol counts.

    No array of all pairs is made: true matches are listed query by query, and of the non-matches a uniform sample is
    drawn by their numbers; 2 million of them know a false-accept rate of 0.001 to within 5 %, which is far less than
    what the number of identities leaves open. A small set's pairs are all taken.

    Args:
        query: Q rows.
        gallery: G rows.
        protocol: which pairs are of one identity, and which do not count; one that does not draw galleries.
        most_same: how many pairs of one identity are kept at most.
        most_different: how many pairs of two identities are drawn at most; those that do not count go from these.
        seed: of the draws.

    Raises:
        EvaluationInputError: a row without direction, or numbers too large.
    """
    source = FeatureDistances(query, gallery)
    rng = np.random.default_rng(seed)
    same = _matches(protocol)
    if len(same) > most_same:
        same = same[np.sort(rng.choice(len(same), most_same, replace=False, shuffle=False))]
    different = _non_matches(protocol, most_different, rng)
    pairs = np.concatenate([same, different])
    pids = np.unique(np.concatenate([protocol.labels.query_pids, protocol.labels.gallery_pids]))
    return Pairs(
        _similarities(source, pairs),
        np.arange(len(pairs)) < len(same),
        np.searchsorted(pids, protocol.labels.query_pids[pairs[:, 0]]),
        np.searchsorted(pids, protocol.labels.gallery_pids[pairs[:, 1]]),
    )


def _matches(protocol: Protocol) -> np.ndarray:
    """Return int64 (M, 2): query and gallery row of every true match."""
    found = [np.empty((0, 2), np.int64)]
    for rows, judged in protocol.judgements():
        found.append(np.stack([rows[judged.match_rows], judged.match_columns], axis=1))
    return np.concatenate(found)


def _non_matches(protocol: Protocol, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return int64 (M, 2): query and gallery row of different pairs of two identities, by query."""
    labels = protocol.labels
    queries, images = len(labels.query_pids), len(labels.gallery_pids)
    total = queries * images
    numbers = np.arange(total) if total <= most else np.unique(rng.integers(total, size=most))
    row, column = np.divmod(numbers, images)
    pids = labels.query_pids[row], labels.gallery_pids[column]
    keep = (pids[0] != pids[1]) & (pids[0] != JUNK) & (pids[1] != JUNK)
    row, column = row[keep], column[keep]
    kept = [np.empty((0, 2), np.int64)]
    for rows, judged in protocol.judgements():
        removed = rows[judged.removed_rows] * images + judged.removed_columns
        inside = slice(*np.searchsorted(row, (rows[0], rows[-1] + 1)))
        counts = ~np.isin(row[inside] * images + column[inside], removed)
        kept.append(np.stack([row[inside][counts], column[inside][counts]], axis=1))
    return np.concatenate(kept)


def _similarities(source: FeatureDistances, pairs: np.ndarray) -> np.ndarray:
    """Return the cosines of pairs of rows, float32 (N,).

    Products of whole blocks, of which a few numbers are taken, are faster than a gathering of 2 million rows twice.
    """
    found = np.empty(len(pairs), np.float32)
    order = np.argsort(pairs[:, 0], kind="stable")
    row, column = pairs[order].T
    block = source.new_block()
    for start in range(0, source.num_queries, len(block)):
        inside = slice(*np.searchsorted(row, (start, start + len(block))))
        if inside.start < inside.stop:
            source.fill(start, block)
            places = (torch.from_numpy(x).to(block.device) for x in (row[inside] - start, column[inside]))
            found[order[inside]] = -block[tuple(places)].cpu().numpy()  # the values rise with the distance
    return found
