"""Reads of every image what a check of a dataset asks: whether it can be read, its size and kind, and how it looks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from reidzoo.cores import available_cores
from reidzoo.errors import DatasetError
from reidzoo.transforms.decode import exif_orientation, open_image, resize_image, size_as_seen

__all__ = ["SIDE", "ImageFacts", "read_facts"]

SIDE = 9
"""Height and width of the small picture that images are compared by, pixels."""
DRAFT = 64
"""A JPEG much larger than this is decoded at a fraction of its size."""


class ImageFacts(NamedTuple):
    """Facts of an image file.

    Attributes:
        error: why it cannot be used, which continues "image NAME ...", "" if it can; nothing else is known of one that
            cannot.
        width, height: pixels, as people see it.
        mode: PIL's mode, such as RGB, L or I;16.
        orientation: EXIF's number, 1 for upright.
        digest: of the file's bytes.
        small: the picture as people see it, RGB, uint8 (SIDE, SIDE, 3).
    """

    error: str = ""
    width: int = 0
    height: int = 0
    mode: str = "RGB"
    orientation: int = 1
    digest: bytes = b""
    small: np.ndarray = np.zeros((SIDE, SIDE, 3), np.uint8)


def read_facts(paths: Sequence[str], workers: int | None = None) -> list[ImageFacts]:
    """Return the facts of each file, in the order of ``paths``; a bar shows how far it is.

    Args:
        paths: the files; one that is there twice is read twice.
        workers: threads; by default one for each processor, up to 8.
    """
    with ThreadPoolExecutor(workers or min(8, available_cores())) as pool:
        return list(tqdm(pool.map(_read, paths), total=len(paths), desc="reading", unit="img", disable=None))


def _read(path: str) -> ImageFacts:
    try:
        with open_image(path) as image:
            width, height, mode, orientation = *size_as_seen(image), image.mode, exif_orientation(image)
            image.draft("RGB", (DRAFT, DRAFT))
            small = resize_image(image, (SIDE, SIDE), "bilinear").permute(1, 2, 0).numpy()
        with open(path, "rb") as file:
            digest = hashlib.blake2b(file.read(), digest_size=16).digest()
    except DatasetError as error:
        return ImageFacts(str(error).removeprefix(f"image {path} "))
    return ImageFacts("", width, height, mode, orientation, digest, small)
