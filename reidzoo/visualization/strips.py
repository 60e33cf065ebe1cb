"""Strips of images with a mark and a caption each: rank lists, confused pairs, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reidzoo.visualization.figure import png_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MARKS", "Strip", "Tile", "draw_strips", "strips_png"]

MARKS = {
    "query": ("", "#4477aa", "-", 2.0),
    "right": ("✓", "#228833", "-", 2.5),
    "wrong": ("✗", "#ee6677", "-", 2.5),
    "uncounted": ("–", "#777777", "--", 1.5),
    "junk": ("·", "#777777", ":", 1.5),
    "plain": ("", "none", "-", 0.0),
}
"""Mark -> its sign, and the colour, dashes and width of its frame."""
GAP, TEXT = 12, 18
"""Pixels between images, and the height of a line."""
LETTERS = 14
"""Of who is shown: what is longer is cut."""


@dataclass(frozen=True)
class Tile:
    """An image of a strip.

    Attributes:
        image: uint8 (H, W, 3).
        mark: a key of ``MARKS``.
        caption: what stands under it.
        words: what it shows, for those who do not see it.
        who: identity and camera in a few letters, under the caption.
    """

    image: np.ndarray
    mark: str = "plain"
    caption: str = ""
    words: str = ""
    who: str = ""


@dataclass(frozen=True)
class Strip:
    """A row of images under a title."""

    title: str
    tiles: Sequence[Tile]


def strips_png(strips: Sequence[Strip]) -> bytes:
    """Return a PNG of the strips, one under the other, their images as they are."""
    height, width = (max(t.image.shape[side] for s in strips for t in s.tiles) for side in (0, 1))
    most = max(len(strip.tiles) for strip in strips)
    wide = max(most * (width + GAP) + GAP, 8 * max(len(strip.title) for strip in strips))
    tall = len(strips) * _step(height) + GAP
    return png_bytes(partial(draw_strips, strips=strips, height=height, width=width), wide, tall)


def _step(height: int) -> int:
    """Return how far apart strips are: a title, images, a caption and who it is."""
    return height + 3 * TEXT + 2 * GAP


def draw_strips(figure: Figure, strips: Sequence[Strip], height: int, width: int) -> None:
    """Draw strips of images of at most ``height`` x ``width`` pixels on a matplotlib figure."""
    wide, tall = figure.bbox.width, figure.bbox.height
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, wide), ylim=(tall, 0))
    for row, strip in enumerate(strips):
        top = GAP + row * _step(height)
        axes.text(GAP, top, strip.title, va="top", weight="bold")
        for column, tile in enumerate(strip.tiles):
            _draw_tile(axes, tile, GAP + column * (width + GAP), top + TEXT + 2)
    axes.set(xlim=(0, wide), ylim=(tall, 0), aspect="auto")


def _draw_tile(axes: Axes, tile: Tile, left: int, top: int) -> None:
    high, wide = tile.image.shape[:2]
    sign, colour, dashes, thick = MARKS[tile.mark]
    axes.imshow(tile.image, extent=(left, left + wide, top + high, top), interpolation="nearest", aspect="auto")
    if thick:
        outline = [left, left + wide, left + wide, left, left], [top, top, top + high, top + high, top]
        axes.plot(*outline, dashes, color=colour, linewidth=thick, clip_on=False)
    axes.text(left + wide / 2, top + high + 4, f"{sign} {tile.caption}".strip(), va="top", ha="center")
    who = tile.who if len(tile.who) <= LETTERS else f"{tile.who[: LETTERS - 1]}…"
    middle, below = left + wide / 2, top + high + 2 + TEXT
    axes.text(middle, below, who, va="top", ha="center", fontsize="small", color="#555555")
