"""What an evaluation protocol is, and the labels it judges by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reidzoo.evaluation.groups import Groups
from reidzoo.neighbours.checks import EvaluationInputError

JUNK = -1


@dataclass(frozen=True)
class Labels:
    """Whom and where the images show.

    Attributes:
        query_pids: int64 (Q,). A query with pid -1 is never counted.
        gallery_pids: int64 (G,). -1 is junk, left out of every ranking; any other id that is not the query's is a
            non-match, Market-1501's distractors (0) among them.
        query_camids: int64 (Q,), or None if unknown.
        gallery_camids: int64 (G,), or None if unknown.
        query_in_gallery: int64 (Q,), the gallery row that is the query image itself, -1 if there is none. Such a row
            never counts for its query. None if no query is in the gallery.
    """

    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_camids: np.ndarray | None = None
    gallery_camids: np.ndarray | None = None
    query_in_gallery: np.ndarray | None = None

    @property
    def outside_gallery(self) -> np.ndarray:
        """The query rows that are no gallery image."""
        if self.query_in_gallery is None:
            return np.arange(len(self.query_pids))
        return np.flatnonzero(self.query_in_gallery < 0)

    def pooled(self) -> Labels:
        """Return the labels where all images, gallery first and then the queries outside it, are on both sides."""
        pids = np.concatenate([self.gallery_pids, self.query_pids[self.outside_gallery]])
        return Labels(pids, pids, query_in_gallery=np.arange(len(pids)))


@dataclass(frozen=True)
class Judgement:
    """What counts for a block of queries; ``*_rows`` number the queries within the block.

    Attributes:
        match_rows: int64, the query of every true match, in ascending order.
        match_columns: int64, its gallery row.
        removed_rows: int64, the query of every ranked image that is neither a match nor a non-match.
        removed_columns: int64, its place among the ranked images: an index into ``columns(trial)``.
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
        pooled: query and gallery are drawn anew from all images, so every image stands on both sides.
        single_shot: the ranked gallery has one image per identity, drawn at random in every trial.
        own_repeats: how often the gallery of a single-shot protocol is drawn, unless the user says otherwise.
        trials: how often it is drawn here.
        same_id: the gallery rows of every identity, less junk.

    Args:
        labels: ids and cameras, pooled if ``pooled``.
        seed: of the random draws.
        repeats: number of trials; None takes ``own_repeats``.

    Raises:
        EvaluationInputError: the protocol needs cameras and there are none.
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
        self.labels, self.seed = labels, seed
        self.trials = (repeats or self.own_repeats) if self.single_shot else 1
        self.same_id = Groups(labels.gallery_pids, labels.gallery_pids != JUNK)

    @abstractmethod
    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Return what counts for the queries ``rows``, int64 (B,), in one trial."""

    def columns(self, trial: int) -> np.ndarray | None:
        """Return the gallery rows that a trial ranks, int64; None for all but junk."""
        return None

    def same_id_pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (place in ``rows``, gallery row) of all pairs of one identity, less the query image itself."""
        block_rows, columns = self.same_id.members(self.labels.query_pids[rows])
        if self.labels.query_in_gallery is not None:
            other = columns != self.labels.query_in_gallery[rows][block_rows]
            block_rows, columns = block_rows[other], columns[other]
        return block_rows, columns

    def own_images(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (place in ``rows``, gallery row) of the query images that are in the gallery themselves."""
        if self.labels.query_in_gallery is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        own = self.labels.query_in_gallery[rows]
        return np.flatnonzero(own >= 0), own[own >= 0]

    def check(self) -> None:
        """Complain if no query has a true match.

        Raises:
            EvaluationInputError: with the likely reason.
        """
        count = len(self.labels.query_pids)
        for start in range(0, count, 4096):
            rows = np.arange(start, min(start + 4096, count))
            if len(self.judge(rows, 0).match_rows):
                return
        raise EvaluationInputError(f"protocol {self.name!r}: no query has a true match. {self._why_no_match()}")

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
            cameras = np.union1d(labels.query_camids, labels.gallery_camids)
            reason = (
                f"All images carry camera {cameras[0]}, and images of the query's own camera do not count."
                if len(cameras) == 1
                else "All images of the queries' identities are by the query's own camera, and those do not count."
            )
            return f"{reason} If the cameras are unknown, use protocol='camera_free'."
        return "The only gallery image of every query's identity is the query itself."
