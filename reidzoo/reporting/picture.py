"""A picture of a report: what it shows as an image, in words and as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape

from reidzoo.visualization import Strip, strips_png

__all__ = ["STRIPS", "Picture", "Table"]

STRIPS = ("rank-lists", "confusions", "attention", "clusters")
"""The kinds of pictures that are of photographs, in PNG; all others are SVG."""
LINES = 16
"""Of a description that are read out."""


@dataclass(frozen=True)
class Table:
    """Figures that a picture shows, for those who rather read them.

    Attributes:
        head: names of the columns.
        rows: their texts.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A picture; either ``svg`` or ``strips`` is given.

    Attributes:
        kind: what it is, and its file's name without the ending.
        title: its heading.
        text: what to see in it, in a sentence or two.
        svg: a figure, which carries its description.
        strips: rows of images.
        table: the figures.
    """

    kind: str
    title: str
    text: str
    svg: str = ""
    strips: Sequence[Strip] = ()
    table: Table = field(default_factory=lambda: Table((), ()))

    @property
    def alt(self) -> str:
        """What a figure shows, in words: its heading and the description that it carries, the first lines of it."""
        found = re.search(r"<desc>(.*?)</desc>", self.svg, re.DOTALL)
        lines = [line.rstrip(".") for line in unescape(found[1]).splitlines()] if found else []
        rest = ["the table has the rest"] if len(lines) > LINES else []
        return f"{self.title}. {'; '.join([*lines[:LINES], *rest])}."

    @property
    def ending(self) -> str:
        """``.svg`` or ``.png``."""
        return ".svg" if self.svg else ".png"

    @property
    def content(self) -> bytes:
        """The bytes of its file."""
        return self.svg.encode() if self.svg else strips_png(self.strips)
