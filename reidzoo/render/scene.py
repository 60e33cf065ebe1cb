"""Draws the scene of a camera: a panorama of ground and structures, and the things that stand before a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from reidzoo.render.people.body import CANVAS
from reidzoo.render.people.person import Colour, shaded

__all__ = ["draw_occluder", "panorama"]

WIDTH = 5 * CANVAS[0]
HEIGHT = CANVAS[1]
Pen = ImageDraw.ImageDraw
Rng = np.random.Generator
Span = tuple[int, int]
T = TypeVar("T")
GROUND: dict[str, list[Colour]] = {
    "campus": [(158, 152, 142), (150, 132, 118), (128, 130, 130), (172, 168, 160)],
    "street": [(112, 112, 114), (138, 136, 132), (96, 98, 102)],
    "indoor": [(186, 180, 168), (150, 146, 140), (204, 200, 192), (164, 142, 112)],
    "plaza": [(146, 150, 152), (120, 124, 126), (166, 166, 160)],
    "corridor": [(146, 104, 84), (176, 166, 150), (122, 120, 122)],
    "game": [(96, 168, 92), (188, 180, 150), (128, 138, 168), (206, 160, 112), (170, 170, 176)],
}  # fmt: skip
SIGNS: list[Colour] = [(168, 48, 44), (44, 92, 150), (206, 168, 66), (60, 120, 84)]
CARS: list[Colour] = [(188, 190, 194), (38, 40, 44), (140, 34, 36), (52, 74, 120), (224, 224, 222)]
BICYCLES: list[Colour] = [(150, 40, 40), (50, 60, 120), (60, 60, 62), (160, 160, 164)]
DOORS: list[Colour] = [(120, 82, 54), (84, 96, 110), (150, 60, 50), (196, 200, 204)]
PANES: list[Colour] = [(196, 204, 206), (52, 58, 64)]
NOTICES: list[Colour] = [(196, 60, 50), (230, 228, 214)]
WALL: dict[str, list[Colour]] = {
    "campus": [(176, 138, 112), (194, 188, 176), (150, 156, 160), (164, 116, 92)],
    "street": [(132, 124, 116), (98, 104, 112), (160, 150, 138), (118, 92, 80)],
    "indoor": [(216, 212, 202), (188, 192, 196), (206, 196, 172), (148, 160, 168)],
    "plaza": [(142, 132, 118), (158, 152, 144), (110, 108, 106)],
    "corridor": [(206, 204, 192), (180, 186, 176), (166, 160, 150)],
    "game": [(96, 150, 214), (224, 208, 150), (214, 140, 110), (150, 200, 140), (186, 160, 210)],
}  # fmt: skip


def _choice(rng: Rng, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def panorama(rng: Rng, kind: str, elevation: float) -> Image.Image:
    """Draw what one camera sees without people: RGB, five canvases wide.

    Args:
        rng: source of the camera's own structures.
        kind: a key of ``GROUND``.
        elevation: radians by which the camera looks down; a steep camera sees ground only.
    """
    horizon = int(120 - 560 * (elevation - 0.05) + rng.normal(0, 8))
    foot = int(horizon + rng.uniform(40, 120))
    image = Image.new("RGB", (WIDTH, HEIGHT), _choice(rng, GROUND[kind]))
    draw = ImageDraw.Draw(image)
    _choice(rng, GROUND_WORK[kind])(draw, rng, horizon, foot)
    wall = _choice(rng, WALL[kind])
    x = -int(rng.integers(0, 120))
    while x < WIDTH and foot > 0:
        width = int(rng.integers(110, 280))
        _choice(rng, STRUCTURES[kind])(draw, rng, (x, x + width), foot, wall)
        x += width
    if kind == "game":
        return image
    return _weathered(image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.2, 2.4)))), rng)


def _weathered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add stains and uneven light: brightness noise at three sizes."""
    shade = np.zeros((HEIGHT, WIDTH), np.float32)
    for cell, strength in ((90, 0.09), (22, 0.05), (5, 0.04)):
        coarse = rng.normal(0, strength, (HEIGHT // cell + 2, WIDTH // cell + 2)).astype(np.float32)
        shade += np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(np.asarray(image, np.float32) * (1 + shade[..., None]), 0, 255).astype(np.uint8))


def _rows(horizon: int, first: float = 12.0, growth: float = 1.32) -> list[int]:
    """Return the heights of equally spaced lines on the ground, in perspective."""
    rows, y, step = [], float(horizon), first
    while y < HEIGHT:
        y += step
        step *= growth
        rows.append(int(y))
    return rows


def _tiles(draw: Pen, rng: Rng, horizon: int, foot: int) -> None:
    tone = int(rng.integers(90, 140))
    vanishing = rng.uniform(0.2, 0.8) * WIDTH
    for y in _rows(horizon):
        draw.line([(0, y), (WIDTH, y)], (tone, tone, tone - 6), 2)
    for x in range(-6 * WIDTH, 7 * WIDTH, 130):
        draw.line([(vanishing, horizon), (x, HEIGHT + 200)], (tone, tone, tone - 6), 2)


def _lawn(draw: Pen, rng: Rng, horizon: int, foot: int) -> None:
    green = (int(rng.integers(70, 110)), int(rng.integers(105, 140)), int(rng.integers(50, 80)))
    low = max(foot, 0) + int(rng.integers(50, 130))
    draw.polygon([(0, 0), (WIDTH, 0), (WIDTH, low), (0, low + int(rng.integers(-50, 50)))], green)
    draw.line([(0, low + 4), (WIDTH, low + 4)], (190, 188, 180), 5)


def _road(draw: Pen, rng: Rng, horizon: int, foot: int) -> None:
    low = max(foot, 0) + int(rng.integers(60, 140))
    draw.rectangle((0, 0, WIDTH, low), (82, 84, 88))
    draw.line([(0, low), (WIDTH, low)], (176, 174, 168), 7)
    if rng.random() < 0.5:
        for x in range(0, WIDTH, 90):
            draw.polygon([(x, low - 40), (x + 45, low - 40), (x + 40, low - 34), (x - 6, low - 34)], (206, 204, 190))


def _smooth(draw: Pen, rng: Rng, horizon: int, foot: int) -> None:
    for y in range(max(foot, 0), HEIGHT, 8):
        tone = int(150 + 50 * (y - foot) / HEIGHT)
        draw.line([(0, y), (WIDTH, y)], (tone, tone - 4, tone - 12), 3)


def _flat(draw: Pen, rng: Rng, horizon: int, foot: int) -> None:
    if rng.random() < 0.5:
        low = max(foot, 0) + int(rng.integers(40, 120))
        draw.rectangle((0, low, WIDTH, low + 40), (200, 200, 205))


def _building(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], foot), shaded(wall, rng.uniform(0.85, 1.1)))
    pane: Colour = (62, 76, 88) if rng.random() < 0.7 else (150, 172, 186)
    step, high = int(rng.integers(34, 60)), int(rng.integers(36, 64))
    for x in range(span[0] + 12, span[1] - step // 2, step):
        for y in range(foot - high - 14, -high, -high - 20):
            draw.rectangle((x, y, x + step * 0.6, y + high), pane)
            draw.line([(x + step * 0.3, y), (x + step * 0.3, y + high)], shaded(wall, 1.15), 2)
    draw.rectangle((span[0], foot - 8, span[1], foot), shaded(wall, 0.7))


def _shop(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], foot), shaded(wall, 0.75))
    draw.rectangle((span[0] + 6, foot - 110, span[1] - 6, foot - 84), _choice(rng, SIGNS))
    draw.rectangle((span[0] + 10, foot - 80, span[1] - 10, foot - 6), _choice(rng, PANES))
    for x in range(span[0] + 10, span[1], 48):
        draw.line([(x, foot - 80), (x, foot - 6)], (110, 110, 112), 3)


def _hedge(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    top = foot - int(rng.integers(60, 160))
    for _ in range(60):
        x, y, r = rng.uniform(*span), rng.uniform(top, foot), rng.uniform(8, 24)
        tone = rng.uniform(0.6, 1.2)
        draw.ellipse((x - r, y - r, x + r, y + r * 0.7), (int(66 * tone), int(94 * tone), int(52 * tone)))


def _trees(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], max(foot - 60, 0)), (184, 196, 204))
    _hedge(draw, rng, span, foot, wall)
    for x in np.sort(rng.uniform(*span, 2)):
        draw.rectangle((x - 7, 0, x + 7, foot + 20), (84, 68, 54))
        draw.rectangle((x - 7, 0, x - 3, foot + 20), (112, 94, 76))


def _cars(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    _building(draw, rng, span, foot - 30, wall)
    paint = _choice(rng, CARS)
    left, right, y = span[0] + 4, span[1] - 8, foot + 6
    draw.polygon([(left + 28, y - 62), (right - 40, y - 62), (right - 12, y - 36), (left + 4, y - 36)], (54, 64, 74))
    draw.rectangle((left, y - 40, right, y - 8), paint)
    for x in (left + 26, right - 26):
        draw.ellipse((x - 15, y - 24, x + 15, y + 6), (30, 30, 32))


def _bicycles(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    _hedge(draw, rng, span, foot - 20, wall)
    for x in range(span[0], span[1], int(rng.integers(26, 44))):
        y, frame = foot + rng.uniform(-6, 10), _choice(rng, BICYCLES)
        draw.ellipse((x - 18, y - 36, x + 18, y), outline=(44, 44, 46), width=3)
        draw.line([(x, y - 18), (x + 20, y - 52), (x + 40, y - 18)], frame, 4)
        draw.line([(x + 14, y - 58), (x + 30, y - 54)], (40, 40, 42), 4)


def _doors(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], foot), wall)
    draw.rectangle((span[0], foot - 12, span[1], foot), shaded(wall, 0.6))
    leaf = _choice(rng, DOORS)
    middle = (span[0] + span[1]) // 2
    draw.rectangle((middle - 42, foot - 210, middle + 42, foot), leaf, shaded(leaf, 0.6), 4)
    draw.rectangle((middle - 26, foot - 190, middle + 26, foot - 120), (176, 192, 200))
    if rng.random() < 0.5:
        draw.rectangle((span[0] + 8, foot - 170, span[0] + 34, foot - 110), _choice(rng, NOTICES))


def _pillars(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], foot), shaded(wall, 0.5))
    for y in range(20, foot, 46):
        draw.line([(span[0], y), (span[1], y)], shaded(wall, 0.85), 3)
    for x in range(span[0] + 20, span[1], 120):
        draw.rectangle((x, 0, x + 44, foot + 22), shaded(wall, 0.95))
        draw.rectangle((x + 32, 0, x + 44, foot + 22), shaded(wall, 0.72))


def _railing(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    draw.rectangle((span[0], 0, span[1], foot), shaded(wall, 1.1))
    for x in range(span[0], span[1], 14):
        draw.line([(x, foot - 80), (x, foot + 8)], (92, 94, 98), 3)
    draw.line([(span[0], foot - 80), (span[1], foot - 80)], (120, 122, 126), 6)


def _boxes(draw: Pen, rng: Rng, span: Span, foot: int, wall: Colour) -> None:
    """Draw the plain solids of a game's level."""
    draw.rectangle((span[0], 0, span[1], foot), (150, 196, 236))
    high = int(rng.integers(40, 260))
    draw.rectangle((span[0], foot - high, span[1] - 14, foot), shaded(wall, rng.uniform(0.8, 1.1)))
    edge, top = span[1] - 14, foot - high
    draw.polygon([(edge, top), (span[1], top + 10), (span[1], foot + 6), (edge, foot)], shaded(wall, 0.6))


Ground = Callable[[Pen, Rng, int, int], None]
Structure = Callable[[Pen, Rng, Span, int, Colour], None]
GROUND_WORK: dict[str, list[Ground]] = {
    "campus": [_tiles, _tiles, _lawn], "street": [_tiles, _road, _road], "indoor": [_tiles, _smooth],
    "plaza": [_lawn, _tiles, _road], "corridor": [_tiles, _smooth], "game": [_flat, _tiles],
}  # fmt: skip
STRUCTURES: dict[str, list[Structure]] = {
    "campus": [_building, _hedge, _trees, _bicycles, _shop], "street": [_shop, _cars, _building, _trees, _railing],
    "indoor": [_doors, _pillars, _railing, _shop], "plaza": [_building, _cars, _trees, _hedge, _railing],
    "corridor": [_doors, _doors, _pillars, _railing], "game": [_boxes],
}  # fmt: skip


def draw_occluder(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw something that stands between the camera and the person: a post, a parked vehicle, or a railing."""
    kind, x = int(rng.integers(3)), rng.uniform(0.15, 0.85) * CANVAS[0]
    tone = int(rng.integers(40, 170))
    if kind == 0:
        half = rng.uniform(5, 14)
        draw.rectangle((x - half, 0, x + half, HEIGHT), (tone, tone, tone + 4))
        draw.rectangle((x + half * 0.5, 0, x + half, HEIGHT), (tone * 3 // 4,) * 3)
    elif kind == 1:
        top = HEIGHT - rng.uniform(80, 150)
        side = -1 if rng.random() < 0.5 else 1
        edge = CANVAS[0] / 2 + side * rng.uniform(-20, 40)
        far = edge + side * 200
        bonnet = [(edge, HEIGHT), (edge + side * 12, top + 20), (edge + side * 60, top), (far, top), (far, HEIGHT)]
        draw.polygon(bonnet, (tone, tone, tone + 10))
        draw.line([(edge + side * 12, top + 30), (far, top + 26)], (tone // 2,) * 3, 5)
    else:
        top = HEIGHT - rng.uniform(100, 140)
        for post in range(-10, CANVAS[0], 26):
            draw.line([(post, top), (post, HEIGHT)], (tone, tone, tone), 4)
        draw.line([(0, top), (CANVAS[0], top)], (tone, tone, tone), 7)
