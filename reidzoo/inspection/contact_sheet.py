"""A sheet of a dataset's people: a row of images for each, from all its cameras."""

from __future__ import annotations

import numpy as np
from PIL import Image

from reidzoo.inspection.inspected_images import InspectedImages
from reidzoo.transforms import read_image
from reidzoo.visualization.sheet import Cell, image_sheet

__all__ = ["CELL", "contact_sheet"]

CELL = (128, 64)
"""Height and width of an image on the sheet, pixels."""
ROWS, COLUMNS = 8, 12
SIDES = {"training": ("train",), "test": ("query", "gallery")}


def contact_sheet(images: InspectedImages) -> tuple[Image.Image | None, str]:
    """Return the sheet, None where no image can be read, and what it shows in words."""
    rows: list[list[Cell]] = []
    words = []
    for side, splits in SIDES.items():
        chosen = _people(images, splits)
        rows += [[_cell(images, row) for row in _spread(images, own)] for own in chosen]
        if chosen:
            words.append(f"{len(chosen)} identities of the {side} set")
    if not rows:
        return None, ""
    return image_sheet(rows), f"{' and then '.join(words)}, a row each, its cameras in turn."


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


def _cell(images: InspectedImages, row: int) -> Cell:
    return np.ascontiguousarray(read_image(images.records[row].path, CELL).permute(1, 2, 0).numpy()), None
