"""A sheet of a dataset's people: a row of images for each, from all its cameras."""

from __future__ import annotations

import numpy as np

from reidzoo.inspection.inspected_images import InspectedImages

__all__ = ["contact_sheet"]

ROWS, COLUMNS = 8, 12
SIDES = {"training": ("train",), "test": ("query", "gallery")}


def contact_sheet(images: InspectedImages) -> dict[str, list[list[int]]]:
    """Return the sides that have people, training and test, each with a list of images for each of some people."""
    sheet = {side: [_spread(images, own) for own in _people(images, splits)] for side, splits in SIDES.items()}
    return {side: people for side, people in sheet.items() if people}


def _people(images: InspectedImages, splits: tuple[str, ...]) -> list[np.ndarray]:
    """Return the rows of up to ``ROWS`` identities, evenly chosen; junk and distractors are none."""
    rows = images.rows(*splits)
    rows = rows[images.good[rows] & (images.pid[rows] >= 0)]
    pids = np.unique(images.pid[rows])
    chosen = (
        pids[np.unique(np.linspace(0, len(pids) - 1, min(ROWS, len(pids))).round().astype(int))] if len(pids) else []
    )
    return [rows[images.pid[rows] == pid] for pid in chosen]


def _spread(images: InspectedImages, rows: np.ndarray) -> list[int]:
    """Return up to ``COLUMNS`` rows of one identity: the first of each camera, then the second, and so on."""
    seen: dict[int, int] = {}
    ranked = []
    for row in rows.tolist():
        camera = int(images.camid[row])
        seen[camera] = seen.get(camera, 0) + 1
        ranked.append((seen[camera], camera, row))
    return [row for _, _, row in sorted(ranked)[:COLUMNS]]
