"""The page of a check: one HTML file with its pictures in it, which needs neither a server nor a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from reidzoo.files import printable
from reidzoo.inspection.contact_sheet import contact_sheet
from reidzoo.inspection.findings import Finding
from reidzoo.inspection.inspected_images import InspectedImages
from reidzoo.inspection.inspection import HEADINGS, Inspection
from reidzoo.transforms import read_image

__all__ = ["page"]

HEIGHT = 128
"""Pixels of a picture; one that is wider than twice this is narrowed."""
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #8888; padding: .3rem .8rem; text-align: left; white-space: nowrap; }
section { border-left: .3rem solid #8888; margin: 1rem 0; padding: 0 1rem; }
section.error { border-color: #ee6677; }
section.warning { border-color: #ccbb44; }
section h3 { margin: 0; font-size: 1rem; }
code { overflow-wrap: anywhere; }
figure { display: inline-block; margin: .3rem .8rem .3rem 0; vertical-align: top; max-width: 100%; }
figure.pair { border: 1px solid #8888; padding: .3rem; }
figcaption { font-size: .75rem; max-width: 16rem; overflow-wrap: anywhere; }
img { max-width: 100%; }
img + img { margin-left: .3rem; }
section h3::first-letter { text-transform: uppercase; }
.person { margin: 1rem 0 .2rem; font-size: 1rem; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: .3rem; }
.row figure { margin: 0; }
"""


def page(inspection: Inspection) -> str:
    """Return the page as HTML."""
    images = inspection.images
    title = f"Check of {images.title}"
    parts = [f"<h1>{escape(title)}</h1><p><code>{escape(str(images.dataset.folder))}</code></p>", _table(inspection)]
    for level, heading in HEADINGS.items():
        found = [finding for finding in inspection.findings if finding.level == level]
        if found:
            parts.append(f"<h2>{heading}</h2>" + "".join(_finding(finding, images) for finding in found))
    parts.append(_sheet(images))
    return printable(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _table(inspection: Inspection) -> str:
    heads, rows = inspection.table()
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n"


def _finding(finding: Finding, images: InspectedImages) -> str:
    advice = f"<p>{escape(finding.advice)}</p>" if finding.advice else ""
    lines = "".join(f"<li><code>{escape(line)}</code></li>" for line in finding.examples)
    pictures = "".join(_figure(rows, images) for rows in finding.pictures)
    return (
        f'<section class="{finding.level}"><h3>{escape(finding.title)}</h3>{advice}'
        f"{f'<ul>{lines}</ul>' if lines else ''}{pictures}</section>\n"
    )


def _figure(rows: Sequence[int], images: InspectedImages) -> str:
    shown = "".join(_picture(images, row) for row in rows)
    captions = [f"{images.shown(row)}: {images.label(row)}" for row in rows]
    kind = "pair" if len(rows) > 1 else "single"
    return f'<figure class="{kind}">{shown}<figcaption>{"<br>".join(map(escape, captions))}</figcaption></figure>'


def _picture(images: InspectedImages, row: int) -> str:
    fact = images.facts[row]
    width = max(1, min(2 * HEIGHT, round(HEIGHT * fact.width / max(fact.height, 1))))
    pixels = read_image(images.records[row].path, (HEIGHT, width)).permute(1, 2, 0).numpy()
    return _image(Image.fromarray(np.ascontiguousarray(pixels)), f"{images.shown(row)}: {images.label(row)}")


def _sheet(images: InspectedImages) -> str:
    """Return a row of pictures for each of some people, below the person's name."""
    sheet = contact_sheet(images)
    if not sheet:
        return ""
    parts = ["<h2>Contact sheet</h2><p>Is each row one person?</p>"]
    for side, people in sheet.items():
        parts.append(f"<h3>{len(people)} identities of the {side} set, their cameras in turn</h3>")
        parts += [_person(images, rows) for rows in people]
    return "".join(parts) + "\n"


def _person(images: InspectedImages, rows: Sequence[int]) -> str:
    tiles = "".join(f"<figure>{_picture(images, row)}{_camera(images, row)}</figure>" for row in rows)
    name = escape(images.names.person(images.pid[rows[0]]))
    return f'<h4 class="person">Identity {name}</h4><div class="row">{tiles}</div>\n'


def _camera(images: InspectedImages, row: int) -> str:
    name = escape(images.names.camera(images.camid[row]))
    return f"<figcaption>camera {name}</figcaption>" if images.has_cameras else ""


def _image(picture: Image.Image, words: str) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img alt="{escape(words)}" width="{picture.width}" height="{picture.height}" '
        f'src="data:image/jpeg;base64,{data}">'
    )
