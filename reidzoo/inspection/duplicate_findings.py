"""Images that are there twice: as two people, in training and test, as a query and its own answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reidzoo.datasets.base import SPLITS
from reidzoo.evaluation.protocols import JUNK, PROTOCOLS
from reidzoo.inspection.findings import ERROR, NOTE, WARNING, Finding
from reidzoo.inspection.image_findings import is_blank
from reidzoo.inspection.inspected_images import InspectedImages
from reidzoo.inspection.near_duplicates import near_duplicates

__all__ = ["find_duplicates", "find_repeated"]

SHOWN = 6
CASES = {
    "people": (
        "pairs of images of different identities are the same picture",
        "One of the two names is wrong, or two people are in one box: look at them, and remove or rename one.",
    ),
    "sides": (
        "pairs of images of training and test are the same picture",
        "What is learnt from must not be tested on: remove one of each pair.",
    ),
    "answers": (
        "pairs of a query and an answer that counts are the same picture",
        "Any model finds these, and figures come out too high. Frames of one video that follow each other are one "
        "picture: take fewer of them, or tell the cameras, so that answers by the query's own do not count.",
    ),
    "cameras": (
        "pairs of images of one person by different cameras are the same picture",
        "One of the two cameras is wrong: look how it was told.",
    ),
}  # fmt: skip
"""What a pair can be, the worst first, in words and with what to do."""


def find_duplicates(images: InspectedImages) -> Iterator[Finding]:
    """Yield pairs of images that should not look the same, and how many files are there twice."""
    rows = np.flatnonzero(images.good & ~is_blank(images) & (images.pid != JUNK))
    if not len(rows):
        return
    digests = np.array([images.facts[row].digest.hex() for row in rows.tolist()])
    _, first, of = np.unique(digests, return_index=True, return_inverse=True)
    groups = _groups(images)
    exact = np.stack([rows[first[of]], rows], axis=1)
    apart = groups[exact[:, 0]] != groups[exact[:, 1]]
    twice = sum(images.records[a].path != images.records[b].path for a, b in exact[~apart].tolist())
    exact = exact[apart]
    small = images.column("small")
    kept = np.sort(rows[first])
    near = kept[near_duplicates(small[kept], groups[kept])]
    pairs = np.concatenate([exact, near])
    yield from _cases(images, pairs, len(exact))
    if twice > 0:
        yield Finding(
            NOTE, f"{twice:,} files are copies of another of the same person and split", "Remove them to save time."
        )


def find_repeated(images: InspectedImages) -> Iterator[Finding]:
    """Yield images that one split lists more than once."""
    for split in SPLITS:
        first: dict[str, int] = {}
        rows = images.rows(split).tolist()
        pairs = [(first.setdefault(images.records[row].path, row), row) for row in rows]
        again = [(one, other) for one, other in pairs if one != other]
        if again:
            cost = "The training refuses them" if split == "train" else "They count twice in every figure"
            yield Finding(
                ERROR if split == "train" else WARNING,
                f"{len(again):,} images of {split} are listed more than once",
                f"{cost}: keep one line of each.",
                [", ".join(_told(images, row) for row in pair) for pair in again[:3]],
                again[:SHOWN],
            )


def _needs_cameras(images: InspectedImages) -> bool:
    """Return whether answers by the query's own camera do not count."""
    protocol = images.dataset.protocol
    return (PROTOCOLS[protocol] if isinstance(protocol, str) else protocol).needs_cameras


def _groups(images: InspectedImages) -> np.ndarray:
    """Return a number for each image, int64 (N,): images of one may look the same.

    Images of one person in one part may. Where answers by the query's camera do not count, query and gallery are one
    part, and each camera is by itself.
    """
    part = np.select([images.split == "query", images.split == "gallery"], [1, 2], 0)
    camera = np.zeros_like(images.camid)
    if _needs_cameras(images):
        part, camera = np.minimum(part, 1), images.camid
    return np.unique(np.stack([part, images.pid, camera]), axis=1, return_inverse=True)[1].reshape(-1)


def _cases(images: InspectedImages, pairs: np.ndarray, exact: int) -> Iterator[Finding]:
    """Yield a finding for each case that some of the pairs (P, 2) are; the first ``exact`` are of equal files."""
    (left, right), in_train, pid = pairs.T, images.split == "train", images.pid
    by_camera = np.full(len(pairs), _needs_cameras(images))
    conditions = [in_train[left] != in_train[right], pid[left] != pid[right], by_camera]
    case = np.select(conditions, ["sides", "people", "cameras"], "answers")
    for name, (what, advice) in CASES.items():
        own = np.flatnonzero(case == name)
        if len(own):
            copies = int((own < exact).sum())
            how = "the same file" if copies == len(own) else f"{copies:,} the same file, others nearly so"
            shown = [(a, b) for a, b in pairs[own[:SHOWN]].tolist()]
            lines = [", ".join(_told(images, row) for row in pair) for pair in shown[:3]]
            yield Finding(WARNING, f"{len(own):,} {what} ({how})", advice, lines, shown)


def _told(images: InspectedImages, row: int) -> str:
    return f"{images.shown(row)} ({images.names.person(images.pid[row])})"
