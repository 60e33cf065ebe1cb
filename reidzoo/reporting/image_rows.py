"""Strips of a test set's images: what a query found, and how each image is named in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from reidzoo.datasets import Record
from reidzoo.datasets.names import UNNAMED, Names
from reidzoo.evaluation import Mark
from reidzoo.reporting.retrieval import Retrieval
from reidzoo.transforms import read_picture
from reidzoo.visualization import Tile

__all__ = ["HEIGHT", "brief", "describe", "gallery_tiles", "pixels", "tile", "titled"]

HEIGHT = 128
"""Pixels of an image on a page."""
WORDS = {Mark.RIGHT: "right", Mark.WRONG: "wrong", Mark.UNCOUNTED: "uncounted", Mark.JUNK: "junk"}
MEANING = {
    "query": "the query",
    "right": "a true match",
    "wrong": "another identity",
    "plain": "another identity",
    "uncounted": "not counted: the query's identity and camera, or the query itself",
    "junk": "junk",
}


def pixels(record: Record, size: tuple[int, int]) -> np.ndarray:
    """Return an image as uint8 (H, W, 3), of the proportions of ``size``, a height and a width."""
    width = max(round(HEIGHT * size[1] / size[0]), 1)
    return read_picture(record.path, (HEIGHT, width))


def describe(record: Record, names: Names) -> str:
    """Return identity and camera in words."""
    if record.pid < 0:
        return "of no identity"
    return f"identity {names.person(record.pid)}, camera {names.camera(record.camid)}"


def brief(record: Record, names: Names) -> str:
    """Return identity and camera in a few letters, "" for an image of no identity."""
    return "" if record.pid < 0 else f"{names.brief_person(record.pid)}, {names.brief_camera(record.camid)}"


def titled(record: Record, names: Names) -> str:
    """Return identity, camera and the file's name."""
    return f"{describe(record, names)}, {Path(record.path).name}"


def tile(
    record: Record, mark: str, size: tuple[int, int], caption: str = "", more: str = "", names: Names = UNNAMED
) -> Tile:
    """Return an image with its mark, who it is, and in words what it shows."""
    words = ", ".join(filter(None, [MEANING.get(mark, ""), describe(record, names), more]))
    return Tile(pixels(record, size), mark, caption, words, brief(record, names))


def gallery_tiles(retrieval: Retrieval, row: int, length: int, size: tuple[int, int]) -> Iterable[Tile]:
    """Yield a query and the images nearest to it."""
    query, lists, names = retrieval.query[row], retrieval.lists, retrieval.names
    yield tile(query, "query", size, "query", names=names)
    for column, distance, mark in zip(*(part[row, :length] for part in (lists.columns, lists.distances, lists.marks))):
        if column >= 0:
            value = f"{retrieval.shown(distance):.3f}"
            words = f"{retrieval.axis} {value}"
            yield tile(retrieval.gallery[column], WORDS[Mark(mark)], size, value, words, names)
