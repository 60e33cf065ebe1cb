"""Draws the upper garment as a texture unrolled around the body; each viewpoint shows its own side of it."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.people.person import Person, shaded

__all__ = ["ALL_OVER", "HEIGHT", "PATTERNS", "TURN", "upper_texture", "visible_half"]

TURN = 128
"""Texture columns for one whole turn around the body; the front is at the middle column."""
HEIGHT = 64


def upper_texture(person: Person) -> Image.Image:
    """Draw the garment from collar (row 0) to hem, two turns wide so that every half turn is one crop.

    Returns:
        RGB image of 2 * TURN x HEIGHT pixels.
    """
    rng = np.random.default_rng(person.key)
    turn = Image.new("RGB", (TURN, HEIGHT), person.upper)
    draw = ImageDraw.Draw(turn)
    PATTERNS[person.pattern](draw, person, rng)
    front = TURN // 2
    if person.open_jacket:
        half = int(rng.integers(6, 13))
        left = [(front - half, 0), (front - half * 0.7, HEIGHT)]
        right = [(front + half, 0), (front + half * 0.7, HEIGHT)]
        draw.polygon([*left, *right[::-1]], person.inner)
        for edge in (left, right):
            draw.line(edge, shaded(person.upper, 0.6), 2)
    elif person.sleeve == 1.0 and person.key % 3 == 0:
        draw.line([(front, 0), (front, HEIGHT)], shaded(person.upper, 0.55), 1)
    neckline = 3 + person.key % 7
    collar = person.inner if person.open_jacket else person.skin
    draw.polygon([(front - 8, 0), (front + 8, 0), (front, neckline)], collar)
    both = Image.new("RGB", (2 * TURN, HEIGHT))
    both.paste(turn, (0, 0))
    both.paste(turn, (TURN, 0))
    return both


def visible_half(texture: Image.Image, yaw: float, size: tuple[int, int]) -> Image.Image:
    """Return the half of ``texture``, at ``size`` pixels, that a camera sees of a body turned by ``yaw`` radians."""
    # A point at angle a from the front appears at screen angle a + yaw, so the middle of the picture shows a = -yaw.
    left = round(TURN * (0.25 - yaw / (2 * math.pi))) % TURN
    return texture.resize(size, Image.Resampling.BILINEAR, box=(left, 0, left + TURN // 2, HEIGHT))


def _plain(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    """Draw one colour, slightly darker at the hem."""
    draw.rectangle((0, HEIGHT - 5, TURN, HEIGHT), shaded(person.upper, 0.88))


def _stripes(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    period = int(rng.integers(9, 18))
    width = max(3, int(period * rng.uniform(0.3, 0.6)))
    for row in range(int(rng.integers(2, 8)), HEIGHT, period):
        draw.rectangle((0, row, TURN, row + width - 1), person.accent)


def _pinstripes(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    period = int(rng.choice([8, 16]))
    for column in range(0, TURN, period):
        draw.rectangle((column, 0, column + period // 2 - 1, HEIGHT), person.accent)


def _checks(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    period = int(rng.choice([8, 16]))
    middle = tuple((a + b) // 2 for a, b in zip(person.upper, person.accent))
    for row in range(0, HEIGHT, period):
        draw.rectangle((0, row, TURN, row + period // 2 - 1), middle)
    for column in range(0, TURN, period):
        draw.rectangle((column, 0, column + period // 2 - 1, HEIGHT), middle)
        for row in range(0, HEIGHT, period):
            draw.rectangle((column, row, column + period // 2 - 1, row + period // 2 - 1), person.accent)


def _logo(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    """Draw a print on the chest, on some shirts another one on the back."""
    for centre in (TURN // 2, 0, TURN) if rng.random() < 0.35 else (TURN // 2,):
        x, y, r = centre, int(rng.integers(18, 28)), int(rng.integers(7, 14))
        if person.key % 2:
            draw.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8), person.accent)
        else:
            draw.rectangle((x - r * 1.2, y - r * 0.5, x + r * 1.2, y + r * 0.7), person.accent)


def _block(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    """Draw two colours, one above the other."""
    draw.rectangle((0, int(HEIGHT * rng.uniform(0.35, 0.65)), TURN, HEIGHT), person.accent)


def _band(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    top = int(HEIGHT * rng.uniform(0.2, 0.5))
    draw.rectangle((0, top, TURN, top + int(rng.integers(8, 16))), person.accent)


def _sides(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    """Draw side panels of another colour under the arms."""
    for column in (TURN // 4, 3 * TURN // 4):
        draw.rectangle((column - 9, 0, column + 9, HEIGHT), person.accent)


def _spots(draw: ImageDraw.ImageDraw, person: Person, rng: np.random.Generator) -> None:
    radius = rng.uniform(2, 4)
    for row, y in enumerate(range(4, HEIGHT, 10)):
        for x in range(5 * (row % 2), TURN, 10):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), person.accent)


PATTERNS = {
    "plain": _plain, "raglan": _plain, "stripes": _stripes, "pinstripes": _pinstripes, "checks": _checks,
    "logo": _logo, "block": _block, "band": _band, "sides": _sides, "spots": _spots,
}  # fmt: skip
ALL_OVER = frozenset({"stripes", "pinstripes", "checks", "spots"})
"""The patterns which the sleeves share with the body."""
