"""Writes a report as one HTML page that fetches nothing."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from reidzoo.reporting.picture import Picture, Table
from reidzoo.visualization import MARKS, Strip, Tile

__all__ = ["Page", "Section"]

QUALITY = 88
"""Of the JPEG of an image."""
SHORT = 6
"""Images of a strip that leaves room for another one next to it."""
COLOURS = {"#000000": "currentColor", "#ffffff": "none", "#dddddd": "var(--grid)"}
"""What is black, white and pale grey in a figure follows the reader's light or dark."""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        text: a sentence under it.
        figures: name -> value and what stands under it in small, shown large.
        pictures: what is shown.
        notes: what is left out, and why.
    """

    title: str
    text: str = ""
    figures: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: its heading.
        text: sentences under it.
        sections: its parts.
        folded: title -> a table or a text that is long, such as a configuration.
        made_by: the last line.
    """

    title: str
    text: Sequence[str]
    sections: Sequence[Section]
    folded: Mapping[str, Table | str]
    made_by: str

    def html(self) -> str:
        """Return the page."""
        style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
        links = [f'<a href="#s{n}">{escape(section.title)}</a>' for n, section in enumerate(self.sections)]
        parts = [_section(number, section) for number, section in enumerate(self.sections)]
        folded = [_folded(title, content) for title, content in self.folded.items()]
        return "\n".join(
            [
                '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f'<title>{escape(self.title)}</title>\n<link rel="icon" href="data:,">',
                f"<style>\n{style}</style>\n</head>",
                f"<body>\n<header>\n<h1>{escape(self.title)}</h1>",
                *(f"<p>{escape(line)}</p>" for line in self.text),
                "</header>",
                f'<nav aria-label="Sections">{" ".join([*links, _REST])}</nav>\n<main>',
                *parts,
                '<section id="rest">\n<h2>Configuration and environment</h2>',
                *folded,
                f"</section>\n</main>\n<footer>{escape(self.made_by)}</footer>\n</body>\n</html>\n",
            ]
        )


_REST = '<a href="#rest">Configuration and environment</a>'


def _section(number: int, section: Section) -> str:
    cards = [
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(small)}</small></dd></div>"
        for name, (value, small) in section.figures.items()
    ]
    figures = [(picture, _figure(f"s{number}-{place}", picture)) for place, picture in enumerate(section.pictures)]
    strips, curves = ("".join(html for picture, html in figures if bool(picture.svg) == flag) for flag in (False, True))
    return "\n".join(
        [
            f'<section id="s{number}">\n<h2>{escape(section.title)}</h2>',
            *([f'<p class="soft">{escape(section.text)}</p>'] if section.text else []),
            *([f'<dl class="figures">{"".join(cards)}</dl>'] if cards else []),
            *(f'<p class="soft">{escape(note)}</p>' for note in section.notes),
            f'{strips}<div class="pictures">\n{curves}</div>\n</section>',
        ]
    )


def _figure(name: str, picture: Picture) -> str:
    body = _inline(name, picture) if picture.svg else _strips(picture.strips)
    table = ""
    if picture.table.rows:
        table = f"<details><summary>As a table</summary>{_table(picture.table)}</details>\n"
    return (
        f'<figure data-kind="{picture.kind}">\n<h3>{escape(picture.title)}</h3>\n'
        f"<figcaption>{escape(picture.text)}</figcaption>\n{body}{table}</figure>\n"
    )


def _inline(name: str, picture: Picture) -> str:
    """Return a figure's SVG to stand within the page: its ids are its own, its colours and its heading the page's."""
    svg = picture.svg[picture.svg.index("<svg") :]
    svg = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r"#(?:000000|ffffff|dddddd)\b", lambda found: COLOURS[found[0]], svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    heading = re.search(r"<title>(.*?)</title>", svg)
    if heading:  # it stands above the figure
        svg = re.sub(rf"<text [^>]*>{re.escape(heading[1])}</text>", "", svg, count=1)
    label = escape(picture.alt, quote=True)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1) + "\n"


def _strips(strips: Sequence[Strip]) -> str:
    """Return the strips, side by side on a wide page where they are short."""
    long = " long" if max(len(strip.tiles) for strip in strips) > SHORT else ""
    return f'<div class="rows{long}">{"".join(map(_strip, strips))}</div>\n'


def _strip(strip: Strip) -> str:
    groups = "".join(f'<ol class="tiles">{"".join(map(_tile, group))}</ol>\n' for group in _groups(strip.tiles))
    return f'<div><h4>{escape(strip.title)}</h4>\n<div class="groups">{groups}</div></div>\n'


def _groups(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Return the tiles in groups that a narrow page does not tear apart, each with its query as the first."""
    groups: list[list[Tile]] = []
    for tile in tiles:
        if not groups or tile.mark == "query":
            groups.append([])
        groups[-1].append(tile)
    return groups


def _tile(tile: Tile) -> str:
    sign = MARKS[tile.mark][0]
    under = " ".join(filter(None, [f"<b>{sign}</b>" if sign else "", escape(tile.caption)])) or "&nbsp;"
    who = f"<small>{escape(tile.who)}</small>" if tile.who else ""
    height, width = tile.image.shape[:2]
    image = f'<img src="{_jpeg(tile.image)}" alt="{escape(tile.words, quote=True)}" width="{width}" height="{height}">'
    return f'<li class="{tile.mark}">{image}<span>{under}</span>{who}</li>\n'


def _jpeg(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _folded(title: str, content: Table | str) -> str:
    body = _table(content, words=True) if isinstance(content, Table) else f'<pre tabindex="0">{escape(content)}</pre>'
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _table(table: Table, words: bool = False) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    kind = ' class="words"' if words else ""
    rows = ["".join(f"<td{kind}>{escape(cell)}</td>" for cell in row) for row in table.rows]
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
