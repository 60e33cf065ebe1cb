"""The evaluation protocols by name.

One of your own is passed as a class: ``evaluate_ranking(..., protocol=MyProtocol)``.
"""

from __future__ import annotations

import numpy as np

from reidzoo.evaluation.groups import Groups
from reidzoo.evaluation.protocol import Judgement, Labels, Protocol


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
        return self.labels.query_camids[queries] == self.labels.gallery_camids[columns]


class CameraFree(MultiShotProtocol):
    """Everything counts but junk and the query image itself (where ``query_in_gallery`` tells)."""

    name = "camera_free"


class CrossCamera(MultiShotProtocol):
    """No gallery image of the query's camera counts, whomever it shows."""

    name = "cross_camera"
    needs_cameras = True

    def __init__(self, labels: Labels, seed: int = 0, repeats: int | None = None) -> None:
        super().__init__(labels, seed, repeats)
        self._same_camera = Groups(labels.gallery_camids)

    def judge(self, rows: np.ndarray, trial: int) -> Judgement:
        """Match the identity's images by other cameras; remove all of the query's camera."""
        block_rows, columns = self.same_id_pairs(rows)
        cameras = self.labels.query_camids[rows]
        other = cameras[block_rows] != self.labels.gallery_camids[columns]
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
        """Return (place in ``rows``, place in ``columns``) for the queries whose identity is in the gallery."""
        pids, unique = self.labels.query_pids[rows], self.same_id.unique
        found = np.flatnonzero(np.isin(pids, unique))
        return found, np.searchsorted(unique, pids[found])


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
        other = self.labels.query_camids[rows[block_rows]] != self.labels.gallery_camids[columns]
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
        """Match the drawn image of the vehicle; drawn images are no queries."""
        drawn = self.columns(trial)
        match_rows, place = self.own_id(rows)
        queries = drawn[place] != rows[match_rows]
        return Judgement(match_rows[queries], drawn[place[queries]], match_rows, place)


PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol for protocol in (Market1501, Cuhk03, VehicleId, CameraFree, CrossCamera)
}
