"""The evaluation protocols: which gallery images are true matches of a query, and which do not count.

``PROTOCOLS`` has them by name. One of your own is passed as a class: ``evaluate_ranking(..., protocol=MyProtocol)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reidzoo.errors import EvaluationInputError

__all__ = [
    "JUNK",
    "PROTOCOLS",
    "CameraFree",
    "CrossCamera",
    "Cuhk03",
    "Groups",
    "Judgement",
    "Labels",
    "Market1501",
    "MultiShotProtocol",
    "Protocol",
    "SingleShotProtocol",
    "VehicleId",
]

JUNK = -1
BLOCK = 1024
"""Queries that are judged at a time where no block of distances says how many."""


class Groups:
    """Looks up the positions of many keys in an array at once, such as all gallery images of some identities.

    Args:
        keys: int64 (N,).
        keep: boolean (N,); positions that are False are in no group. All are kept by default.
    """

    def __init__(self, keys: np.ndarray, keep: np.ndarray | None = None) -> None:
        positions = np.arange(len(keys)) if keep is None else np.flatnonzero(keep)
        self._positions = positions[np.argsort(keys[positions], kind="stable")]
        self._keys = keys[self._positions]
        self.unique = np.unique(self._keys)

    def members(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs (i, position) with ``keys[position] == wanted[i]``, ordered by i and then by position."""
        first = np.searchsorted(self._keys, wanted, side="left")
        count = np.searchsorted(self._keys, wanted, side="right") - first
        before = np.cumsum(count) - count
        within = np.arange(count.sum()) - np.repeat(before, count)
        return np.repeat(np.arange(len(wanted)), count), self._positions[np.repeat(first, count) + within]

    def lowest(self, priority: np.ndarray) -> np.ndarray:
        """Return for every key in ``unique`` the position with the lowest ``priority``, (N,) without equal values."""
        order = np.lexsort((priority[self._positions], self._keys))
        return self._positions[order[np.searchsorted(self._keys, self.unique, side="left")]]


@dataclass(frozen=True)
class Labels:
    """The identities and cameras of the queries and of the gallery.

    Attributes:
        query_pids: int64 (Q,). A query with pid -1 is never counted.
        gallery_pids: int64 (G,). -1 is junk, left out of every ranking; any other id that is not the query's is a
            non-match, Market-1501's distractors (0) among them.
        query_camids: int64 (Q,), or None if unknown. Protocols that need cameras take none below 0.
        gallery_camids: int64 (G,), or None if unknown; likewise.
        query_in_gallery: int64 (Q,), the gallery row that is the query image itself, -1 if there is none. Such a row
            never counts for its query. None if no query is in the gallery.

    Raises:
        EvaluationInputError: they are not integers, or query and gallery share a negative id other than -1.
    """

    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_camids: np.ndarray | None = None
    gallery_camids: np.ndarray | None = None
    query_in_gallery: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check that a match can only be of a person."""
        for name, values in vars(self).items():
            if values is not None and len(values) and np.asarray(values).dtype.kind not in "iu":
                raise EvaluationInputError(f"{name} holds {np.asarray(values).dtype} values; ids must be integers.")
        nobody = np.intersect1d(self.query_pids[self.query_pids < JUNK], self.gallery_pids)
        if len(nobody):
            raise EvaluationInputError(
                f"query and gallery both hold the pid {nobody[0]}, which would count as a person. Nobody known is -1, "
                f"and people are numbered from 0 on, as np.unique(all_pids, return_inverse=True)[1] numbers them."
            )

    def cameras(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``query_camids`` and ``gallery_camids``.

        Raises:
            EvaluationInputError: they are unknown.
        """
        if self.query_camids is None or self.gallery_camids is None:
            raise EvaluationInputError("the cameras are unknown; give query_camids and gallery_camids")
        return self.query_camids, self.gallery_camids

    @property
    def outside_gallery(self) -> np.ndarray:
        """The rows of the queries that are not in the gallery."""
        if self.query_in_gallery is None:
            return np.arange(len(self.query_pids))
        return np.flatnonzero(self.query_in_gallery < 0)

    def pooled(self) -> Labels:
        """Return the labels where all images, gallery first and then the queries outside it, are on both sides."""
        pids = np.concatenate([self.gallery_pids, self.query_pids[self.outside_gallery]])
        return Labels(pids, pids, query_in_gallery=np.arange(len(pids)))


@dataclass(frozen=True)
class Judgement:
    """The true matches of a block of queries, and what is not ranked; ``*_rows`` number the queries within the block.

    Attributes:
        match_rows: int64, the query of every true match, in ascending order.
        match_columns: int64, its gallery row.
        removed_rows: int64, the query of every ranked image that is neither a match nor a non-match.
        removed_columns: int64, its position among the ranked images: an index into ``columns(trial)``.
    """

    match_rows: np.ndarray
    match_columns: np.ndarray
    removed_rows: np.ndarray
    removed_columns: np.ndarray


class Protocol(ABC):
    """Says which gallery images are a query's true matches, and which do not count. A new protocol is one subclass.

    Attributes:
        name: what a user calls it.
        needs_cameras: it cannot do without camera ids.
        pooled: query and gallery are drawn from all images together, so every image stands on both sides.
        single_shot: the ranked gallery has one image per identity, drawn at random in every trial.
        own_repeats: how often the gallery of a single-shot protocol is drawn, unless the user says otherwise.
        trials: how often it is drawn here.
        same_id: the gallery rows of every identity, less junk.

    Args:
        labels: ids and cameras, pooled if ``pooled``.
        seed: of the random draws.
        repeats: number of trials; None takes ``own_repeats``.

    Raises:
        EvaluationInputError: the protocol needs cameras and there are none, or some are negative: unknown.
    """

    name: ClassVar[str]
    needs_cameras: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    single_shot: ClassVar[bool] = False
    own_repeats: ClassVar[int] = 1

    def __init__(self, labels: Labels, seed: int = 0, repeats: int | None = None) -> None:
        if self.needs_cameras and (labels.query_camids is None or labels.gallery_camids is None):
            raise EvaluationInputError(
                f"protocol {self.name!r} needs the cameras of queries and gallery; give query_camids and "
                f"gallery_camids, or use protocol='camera_free' if they are unknown."
            )
        if self.needs_cameras:
            self._check_cameras(*labels.cameras())
        self.labels, self.seed = labels, seed
        self.trials = (repeats or self.own_repeats) if self.single_shot else 1
        self.same_id = Groups(labels.gallery_pids, labels.gallery_pids != JUNK)

    @abstractmethod
    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Return what counts for the queries ``rows``, int64 (B,), in one trial."""

    def judgements(self) -> Iterator[tuple[np.ndarray, Judgement]]:
        """Yield the rows of each block of queries, int64 (B,), and what counts for them in the first trial."""
        count = len(self.labels.query_pids)
        for start in range(0, count, BLOCK):
            rows = np.arange(start, min(start + BLOCK, count))
            yield rows, self.judge(rows, 0)

    def matched_queries(self) -> np.ndarray:
        """Return which queries have a true match in the first trial, bool (Q,)."""
        matched = np.zeros(len(self.labels.query_pids), bool)
        for rows, judged in self.judgements():
            matched[rows[judged.match_rows]] = True
        return matched

    def columns(self, trial: int) -> np.ndarray | None:
        """Return the gallery rows that a trial ranks, int64; None for all but junk."""
        return None

    def same_id_pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (position in ``rows``, gallery row) of all pairs of one identity, less the query image itself."""
        block_rows, columns = self.same_id.members(self.labels.query_pids[rows])
        if self.labels.query_in_gallery is not None:
            other = columns != self.labels.query_in_gallery[rows][block_rows]
            block_rows, columns = block_rows[other], columns[other]
        return block_rows, columns

    def own_images(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (position in ``rows``, gallery row) of the query images that are in the gallery themselves."""
        if self.labels.query_in_gallery is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        columns = self.labels.query_in_gallery[rows]
        return np.flatnonzero(columns >= 0), columns[columns >= 0]

    def check(self) -> None:
        """Complain if no query has a true match.

        Raises:
            EvaluationInputError: with the likely reason.
        """
        if any(len(judged.match_rows) for _, judged in self.judgements()):
            return
        raise EvaluationInputError(f"protocol {self.name!r}: no query has a true match. {self._why_no_match()}")

    def _check_cameras(self, *sides: np.ndarray) -> None:
        """Complain of cameras that are unknown: images of two unknown cameras would count as those of one."""
        unknown = np.concatenate([camids[camids < 0] for camids in sides])
        if len(unknown):
            raise EvaluationInputError(
                f"protocol {self.name!r} needs to know which images one camera took, and {len(unknown):,} of "
                f"{sum(map(len, sides)):,} have the camera {unknown[0]}; cameras are numbered from 0 on. Leave out the "
                f"images whose camera is unknown, or use protocol='camera_free'."
            )

    def _why_no_match(self) -> str:
        labels = self.labels
        real = labels.gallery_pids[labels.gallery_pids != JUNK]
        if not len(real):
            return "Every gallery image is junk (pid -1)."
        if not np.isin(labels.query_pids, real).any():
            return (
                f"No query id is in the gallery: query pids begin {labels.query_pids[:5].tolist()}, gallery pids "
                f"{labels.gallery_pids[:5].tolist()}. Were the two sides relabelled separately?"
            )
        if self.pooled:
            return "No identity has two images."
        if self.needs_cameras:
            cameras = np.union1d(*labels.cameras())
            reason = (
                f"All images carry camera {cameras[0]}, and images of the query's own camera do not count."
                if len(cameras) == 1
                else "All images of the queries' identities are by the query's own camera, and those do not count."
            )
            return f"{reason} If the cameras are unknown, use protocol='camera_free'."
        return "The only gallery image of every query's identity is the query itself."


class MultiShotProtocol(Protocol):
    """Ranks the whole gallery; a subclass says which images of the query's identity do not count."""

    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Match all images of the query's identity but those that do not count."""
        block_rows, columns = self.same_id_pairs(rows)
        dropped = self.excludes(rows[block_rows], columns)
        own_rows, own_columns = self.own_images(rows)
        return Judgement(
            block_rows[~dropped],
            columns[~dropped],
            np.concatenate([block_rows[dropped], own_rows]),
            np.concatenate([columns[dropped], own_columns]),
        )

    def excludes(self, queries: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return a boolean per pair (query row, gallery row) of one identity: True where it does not count."""
        return np.zeros(len(columns), dtype=bool)


class Market1501(MultiShotProtocol):
    """Gallery images of the query's identity *and* camera do not count (Zheng et al., ICCV 2015)."""

    name = "market1501"
    needs_cameras = True

    def excludes(self, queries: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Exclude images of the same camera."""
        query_camids, gallery_camids = self.labels.cameras()
        return query_camids[queries] == gallery_camids[columns]


class CameraFree(MultiShotProtocol):
    """Everything counts but junk and the query image itself (where ``query_in_gallery`` tells)."""

    name = "camera_free"


class CrossCamera(MultiShotProtocol):
    """No gallery image of the query's camera counts, whomever it shows."""

    name = "cross_camera"
    needs_cameras = True

    def __init__(self, labels: Labels, seed: int = 0, repeats: int | None = None) -> None:
        super().__init__(labels, seed, repeats)
        self._query_camids, self._gallery_camids = labels.cameras()
        self._same_camera = Groups(self._gallery_camids)

    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Match the identity's images by other cameras; remove all of the query's camera."""
        block_rows, columns = self.same_id_pairs(rows)
        cameras = self._query_camids[rows]
        other = cameras[block_rows] != self._gallery_camids[columns]
        own_rows, own_columns = self.own_images(rows)
        removed_rows, removed_columns = self._same_camera.members(cameras)
        return Judgement(
            block_rows[other],
            columns[other],
            np.concatenate([removed_rows, own_rows]),
            np.concatenate([removed_columns, own_columns]),
        )


class SingleShotProtocol(Protocol):
    """Ranks one image of every identity, drawn at random in every trial; CMC and mAP are means over the trials.

    With one match per query AP is 1 / rank, so mAP is the mean reciprocal rank. Draws depend on the seed, the trial and
    the order of the gallery, as any draw must.
    """

    single_shot = True
    _drawn: tuple[int, np.ndarray] = (-1, np.empty(0))

    def priority(self, trial: int) -> np.ndarray:
        """Return int64 (G,): the image of an identity with the lowest number is the one drawn."""
        if self._drawn[0] != trial:
            self._drawn = (trial, np.random.default_rng([self.seed, trial]).permutation(len(self.labels.gallery_pids)))
        return self._drawn[1]

    def columns(self, trial: int) -> np.ndarray:
        """Return the drawn image of every identity, in the order of the ids."""
        return self.same_id.lowest(self.priority(trial))

    def own_id(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (position in ``rows``, position in ``columns``) for the queries whose identity is in the gallery."""
        pids, unique = self.labels.query_pids[rows], self.same_id.unique
        in_gallery = np.flatnonzero(np.isin(pids, unique))
        return in_gallery, np.searchsorted(unique, pids[in_gallery])


class Cuhk03(SingleShotProtocol):
    """CUHK03's classic single-shot CMC (Li et al., CVPR 2014): one gallery image per identity, many draws.

    The query's identity is represented by an image of another camera; where the drawn one is by the query's camera, the
    next in the draw's order takes its place for this query.
    """

    name = "cuhk03"
    needs_cameras = True
    own_repeats = 100

    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Match the first image in the draw's order that is of the query's identity and of another camera."""
        block_rows, columns = self.same_id_pairs(rows)
        query_camids, gallery_camids = self.labels.cameras()
        other = query_camids[rows[block_rows]] != gallery_camids[columns]
        block_rows, columns = block_rows[other], columns[other]
        order = np.lexsort((self.priority(trial)[columns], block_rows))
        match_rows, first = np.unique(block_rows[order], return_index=True)
        return Judgement(match_rows, columns[order[first]], *self.own_id(rows))


class VehicleId(SingleShotProtocol):
    """VehicleID's test (Liu et al., CVPR 2016): one image per vehicle is the gallery, all others are queries; 10 draws.

    Query and gallery images together are the pool that is drawn from.
    """

    name = "vehicleid"
    pooled = True
    own_repeats = 10

    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Match the drawn image of the vehicle; drawn images are not queries."""
        drawn = self.columns(trial)
        match_rows, position = self.own_id(rows)
        queries = drawn[position] != rows[match_rows]
        return Judgement(match_rows[queries], drawn[position[queries]], match_rows, position)


PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol for protocol in (Market1501, Cuhk03, VehicleId, CameraFree, CrossCamera)
}
