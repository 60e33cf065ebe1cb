"""Finds wrong image files: unreadable, blank, tiny, turned, of an unusual kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from reidzoo.datasets.base import shortened
from reidzoo.files import printable
from reidzoo.inspection.findings import ERROR, NOTE, WARNING, Finding
from reidzoo.inspection.inspected_images import InspectedImages

__all__ = ["find_in_images", "is_blank"]

LEAST_HEIGHT, LEAST_WIDTH = 32, 16
"""Pixels; below, a person is hardly told from another."""
PLAIN = 1.0
"""Standard deviation of the pixels, of 255, below which an image shows nothing."""
SHOWN = 3
KINDS = {"L": "grey", "LA": "grey and transparent", "RGBA": "transparent", "P": "of a palette", "CMYK": "CMYK"}


def is_blank(images: InspectedImages) -> np.ndarray:
    """Return which images are of one colour, or nearly so, bool (N,)."""
    return images.good & (images.column("small").astype(np.float32).std((1, 2)).max(1) < PLAIN)


def find_in_images(images: InspectedImages) -> Iterator[Finding]:
    """Yield what is wrong with the files, the worst first."""
    yield from _unreadable(images)
    yield from _seen(
        images, np.array([printable(record.path) != record.path for record in images.records], bool), WARNING,
        "have a path that is not UTF-8", "Rename them: the lists of extract, gallery and split cannot hold such names.",
    )  # fmt: skip
    yield from _seen(
        images, is_blank(images), WARNING, "are blank, of one colour", "Remove them: nobody can be known by them."
    )
    low = (images.column("height") < LEAST_HEIGHT) | (images.column("width") < LEAST_WIDTH)
    small = f"are tiny, below {LEAST_HEIGHT} pixels in height or {LEAST_WIDTH} in width"
    yield from _seen(
        images, images.good & low, WARNING, small, "Leave them out, or expect little of them.",
    )  # fmt: skip
    yield from _seen(
        images, images.good & (images.column("orientation") != 1), NOTE, "are turned by EXIF",
        "reidzoo turns them as a viewer does; other tools may not. Boxes must have been drawn on the turned image.",
    )  # fmt: skip
    deep = np.char.startswith(images.column("mode").astype(str), "I")
    yield from _seen(
        images, images.good & deep, NOTE, "have 16 bits a pixel",
        "They are scaled from 0..65535 to 0..255; a thermal or depth camera that uses less of that range gives dark "
        "images: stretch them first.",
    )  # fmt: skip
    yield from _kinds(images)


def _unreadable(images: InspectedImages) -> Iterator[Finding]:
    wrong = np.flatnonzero(~images.good)
    if len(wrong):
        reasons = list(dict.fromkeys(f"{images.shown(row)} {images.facts[row].error}" for row in wrong.tolist()))
        yield Finding(ERROR, f"{_of(len(wrong), len(images.good))} cannot be read", "", shortened(reasons, SHOWN))


def _seen(images: InspectedImages, wrong: np.ndarray, level: str, what: str, advice: str) -> Iterator[Finding]:
    rows = np.flatnonzero(wrong).tolist()
    if rows:
        sizes = [f"{images.shown(row)} ({images.size(row)})" for row in rows[:SHOWN]]
        yield Finding(level, f"{_of(len(rows), len(images.good))} {what}", advice, sizes, [(row,) for row in rows[:12]])


def _kinds(images: InspectedImages) -> Iterator[Finding]:
    """Yield what is neither RGB nor deep, where it is mixed with others; a camera at night is grey."""
    counts = Counter(KINDS[fact.mode] for fact in images.facts if fact.mode in KINDS and not fact.error)
    if counts and sum(counts.values()) < images.good.sum():
        listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        yield Finding(
            NOTE, f"not all images are RGB: {listed}", "They are read as RGB; what is transparent lies on white."
        )


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} images"
