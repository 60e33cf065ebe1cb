"""The record of one image of a re-identification dataset."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Record"]


class Record(NamedTuple):
    """One image: where it is, whom it shows, and under which circumstances.

    Attributes:
        path: the image file.
        pid: identity. -1 is junk (never a match, never a mistake), 0 a distractor in the layouts that have them.
        camid: camera, counted from 0.
        domain: the dataset's place among those trained on together, 0 for the first.
        timeid: time of day (0 morning, 1 noon, 2 afternoon), -1 where the dataset does not tell.
        viewid: viewpoint of a vehicle, -1 where the dataset does not tell.
    """

    path: str
    pid: int
    camid: int
    domain: int = 0
    timeid: int = -1
    viewid: int = -1
