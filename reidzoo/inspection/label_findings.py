"""Finds wrong labels: identities with one image or camera, guessed cameras, queries without a match."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reidzoo.datasets import FolderDataset, TableDataset
from reidzoo.errors import EvaluationInputError
from reidzoo.evaluation.protocols import JUNK, PROTOCOLS, Labels, Protocol
from reidzoo.inspection.findings import ERROR, NOTE, WARNING, Finding
from reidzoo.inspection.inspected_images import InspectedImages
from reidzoo.inspection.source import PeopleDataset

__all__ = ["find_in_labels"]

SHOWN = 5


def find_in_labels(images: InspectedImages) -> Iterator[Finding]:
    """Yield what is wrong with identities and cameras, and whether the test can be made."""
    yield from _matches(images)
    yield from _shared_people(images)
    yield from _cameras(images)
    yield from _training(images)


def _matches(images: InspectedImages) -> Iterator[Finding]:
    """Yield whether queries find a match by the dataset's protocol."""
    query, gallery = images.rows("query"), images.rows("gallery")
    if not len(query) and not len(gallery):
        yield Finding(
            NOTE, "there is no test set, neither query nor gallery",
            "`reidzoo split FOLDER --output-dir DIR` divides folders of people into train, val, query and gallery.",
        )  # fmt: skip
        return
    if not len(query) or not len(gallery):
        lacking = "gallery" if len(query) else "query"
        yield Finding(ERROR, f"there is no {lacking}", "A test needs both, with other images of the same people.")
        return
    try:
        lacking_rows = query[_without_match(images, query, gallery)]
    except EvaluationInputError as error:
        yield Finding(ERROR, f"the test cannot be made: {error}")
        return
    if len(lacking_rows):
        level = ERROR if len(lacking_rows) == len(query) else WARNING
        title = (
            f"{len(lacking_rows):,} of {len(query):,} queries have no match by the protocol {images.dataset.protocol}"
        )
        advice = "They are left out of mAP and ranks. " + _advice(images)
        rows = [(row,) for row in lacking_rows[:12].tolist()]
        yield Finding(level, title, advice, images.paths(lacking_rows[:SHOWN]), rows)


def _without_match(images: InspectedImages, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Return which queries have no true match, bool (Q,)."""
    kind = images.dataset.protocol
    protocol: type[Protocol] = PROTOCOLS[kind] if isinstance(kind, str) else kind
    if protocol.pooled:  # every image is on both sides: two images of a person are a match
        pids, counts = np.unique(np.concatenate([images.pid[query], images.pid[gallery]]), return_counts=True)
        return ~np.isin(images.pid[query], pids[counts > 1])
    labels = Labels(images.pid[query], images.pid[gallery], images.camid[query], images.camid[gallery])
    return ~protocol(labels).matched_queries()


def _advice(images: InspectedImages) -> str:
    cameras = np.unique(images.camid[images.rows("query", "gallery")])
    if len(cameras) == 1 and images.dataset.protocol == "market1501":
        return "All are of one camera, and answers by the query's own camera do not count: TEST.PROTOCOL camera_free."
    return "A query needs an image of the same person in the gallery, by another camera where cameras are known."


def _shared_people(images: InspectedImages) -> Iterator[Finding]:
    """Yield people who are learnt from and tested on, where names are of the whole dataset and not of a split."""
    if not isinstance(images.dataset, FolderDataset | TableDataset):
        return
    train, test = (set(images.pid[images.rows(*s)].tolist()) - {JUNK} for s in (("train",), ("query", "gallery")))
    shared = sorted(train & test)
    if shared:
        title = f"{len(shared):,} people are in train and in query or gallery"
        advice = "A model is tested on people whom it has not seen: move each to one side, as `reidzoo split` does."
        yield Finding(WARNING, title, advice, [images.names.person(pid) for pid in shared[:SHOWN]])


def _cameras(images: InspectedImages) -> Iterator[Finding]:
    """Yield where cameras come from, where that is not certain."""
    dataset = images.dataset
    if not isinstance(dataset, FolderDataset | TableDataset):
        return
    cameras = [images.names.camera(camid) for camid in np.unique(images.camid).tolist()]
    if not dataset.camid_of:
        yield Finding(
            NOTE, "cameras are unknown",
            "The test counts answers by the query's own camera (camera_free), which are easier to find. Put the camera "
            "into files' names (0001_c3.jpg), or into the column camid of a CSV.",
        )  # fmt: skip
    elif isinstance(dataset, FolderDataset | PeopleDataset):
        yield Finding(
            NOTE, f"cameras are guessed from files' names: {len(cameras)} of them, {', '.join(cameras[:SHOWN])}"
            f"{', ...' if len(cameras) > SHOWN else ''}",
            "If they are others, say how a name tells the camera: {type: FolderDataset, camera: REGULAR_EXPRESSION}.",
            [f"{images.shown(0)}: camera {images.names.camera(images.camid[0])}"],
        )  # fmt: skip


def _training(images: InspectedImages) -> Iterator[Finding]:
    """Yield identities from which little can be learnt."""
    rows = images.rows("train")
    unlabelled = rows[images.pid[rows] == JUNK]
    if len(unlabelled):
        yield Finding(
            WARNING, f"{len(unlabelled):,} training images have no identity (-1)", "They are not learnt from."
        )
    rows = rows[images.pid[rows] != JUNK]
    if not len(rows):
        return
    pids, counts = np.unique(images.pid[rows], return_counts=True)
    if len(pids) == 1:
        yield Finding(ERROR, "all training images are of one identity", "A model learns from differences: add others.")
    single = pids[counts == 1]
    if len(single):
        title = f"{len(single):,} of {len(pids):,} training identities have one image"
        advice = "A triplet or contrastive loss has no positive pair of them; the identity loss alone learns from them."
        yield Finding(WARNING, title, advice, [images.names.person(pid) for pid in single[:SHOWN].tolist()])
    if len(np.unique(images.camid[rows])) > 1:
        seen, cameras = np.unique(
            np.unique(np.stack([images.pid[rows], images.camid[rows]]), axis=1)[0], return_counts=True
        )
        alone = np.setdiff1d(seen[cameras == 1], single)
        if len(alone):
            title = f"{len(alone):,} of {len(pids):,} training identities are seen by one camera"
            advice = "Nothing can be learnt from them of how a person changes between cameras."
            yield Finding(NOTE if len(alone) < len(pids) / 2 else WARNING, title, advice,
                          [images.names.person(pid) for pid in alone[:SHOWN].tolist()])  # fmt: skip
