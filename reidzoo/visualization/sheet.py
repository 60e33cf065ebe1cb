"""Sheets of images: rows of pictures, some with a coloured frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["RIGHT", "WRONG", "image_sheet"]

RIGHT, WRONG = (34, 136, 51), (238, 102, 119)
"""Tol's green and red; the frame of a wrong image is thinner, for those who do not see the colours apart."""
FRAME, GAP = 3, 2
"""Pixels."""
TEXT, LEAST = 12, 7
"""Pixels of a heading's letters, and above narrow columns at least."""

Cell = tuple[np.ndarray, tuple[int, int, int] | None]


def image_sheet(rows: Sequence[Sequence[Cell]], heads: Sequence[str] = (), labels: Sequence[str] = ()) -> Image.Image:
    """Return one picture of rows of images of one size.

    Args:
        rows: each a list of (uint8 (H, W, 3), colour of its frame or None); shorter rows are filled with white.
        heads: words above the columns.
        labels: words left of the rows.
    """
    sheet = _images(rows)
    if not heads and not labels:
        return sheet
    step_y, step_x = _steps(rows)
    widest = max(map(ImageFont.load_default(TEXT).getlength, heads), default=0) + GAP
    font = ImageFont.load_default(max(LEAST, min(TEXT, int(TEXT * step_x / widest))))
    left = max((round(font.getlength(label)) + 2 * GAP for label in labels), default=0)
    top = TEXT + 3 * GAP if heads else 0
    wide = max([left + sheet.width, *(left + n * step_x + FRAME + font.getlength(h) for n, h in enumerate(heads))])
    page = Image.new("RGB", (round(wide), top + sheet.height), "white")
    page.paste(sheet, (left, top))
    pen = ImageDraw.Draw(page)
    for number, head in enumerate(heads):
        pen.text((left + number * step_x + FRAME, GAP), head, "black", font)
    for number, label in enumerate(labels):
        pen.text((GAP, top + number * step_y + step_y // 2), label, "black", font, anchor="lm")
    return page


def _steps(rows: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    """Return how far apart rows are, and columns."""
    height, width = rows[0][0][0].shape[:2]
    return height + 2 * FRAME + GAP, width + 2 * FRAME + GAP


def _images(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    height, width = rows[0][0][0].shape[:2]
    step_y, step_x = _steps(rows)
    sheet = np.full((len(rows) * step_y - GAP, max(map(len, rows)) * step_x - GAP, 3), 255, np.uint8)
    for top, row in enumerate(rows):
        for left, (image, colour) in enumerate(row):
            y, x = top * step_y, left * step_x
            if colour is not None:
                thick = FRAME if colour == RIGHT else FRAME - 2
                inset = FRAME - thick
                area = sheet[y + inset : y + step_y - GAP - inset, x + inset : x + step_x - GAP - inset]
                area[:] = colour
            sheet[y + FRAME : y + FRAME + height, x + FRAME : x + FRAME + width] = image
    return Image.fromarray(sheet)
