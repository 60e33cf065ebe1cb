"""Draws the road of a camera, what lies next to it, and what stands before a vehicle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.people.person import Colour, shaded
from reidzoo.render.vehicles.view import CANVAS, View

__all__ = ["Road", "asphalt", "draw_occluder", "draw_road", "sample_road"]

Rng = np.random.Generator
Pen = ImageDraw.ImageDraw
WIDTH = 3 * CANVAS[0]
ASPHALT: dict[str, list[Colour]] = {
    "avenue": [(112, 112, 114), (98, 99, 102), (124, 122, 120)],
    "junction": [(104, 105, 108), (118, 116, 112), (90, 92, 96)],
    "gate": [(136, 133, 128), (122, 121, 120), (148, 146, 142)],
    "highway": [(128, 128, 130), (116, 118, 122)],
}  # fmt: skip
VERGES: dict[str, list[Colour]] = {
    "avenue": [(92, 104, 66), (150, 144, 134), (128, 112, 92)],
    "junction": [(146, 140, 132), (164, 156, 146)],
    "gate": [(156, 148, 138), (100, 108, 76)],
    "highway": [(96, 106, 70), (120, 118, 112)],
}  # fmt: skip
WALLS: list[Colour] = [(170, 148, 124), (188, 184, 176), (146, 104, 82), (134, 140, 146), (70, 92, 58), (88, 104, 64)]
MARKING: Colour = (206, 204, 196)
YELLOW: Colour = (196, 164, 70)


@dataclass(frozen=True)
class Road:
    """The road under one camera.

    Attributes:
        heading: direction of the road against the camera, radians as a vehicle's yaw.
        crossing: direction of a second road, where vehicles turn or cross; None where there is none.
        verge: colour of the ground next to it.
        kerb: metres from a vehicle in the outer lane to the kerb.
        lanes: how many lanes there are.
        dashed, middle: whether the marks between lanes are dashed; colour of the mark in the middle.
        wall, wall_height, wall_gap: what stands next to the road: its colour, and its height and distance in metres.
        windows: whether it is a house.
        zebra: whether a pedestrian crossing is painted on the road.
    """

    heading: float
    crossing: float | None
    verge: Colour
    kerb: float
    lanes: int
    dashed: bool
    middle: Colour
    wall: Colour
    wall_height: float
    wall_gap: float
    windows: bool
    zebra: bool


def asphalt(rng: Rng, kind: str, elevation: float) -> Image.Image:
    """Draw the surface of a road: RGB, three canvases wide, with patches and the wear of wheels."""
    image = Image.new("RGB", (WIDTH, CANVAS[1]), _choice(rng, ASPHALT[kind]))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 8))):
        x, y, tone = rng.uniform(0, WIDTH), rng.uniform(0, CANVAS[1]), rng.uniform(0.86, 1.1)
        wide, tall = rng.uniform(30, 160), rng.uniform(10, 50)
        slant = rng.uniform(-40, 40)
        colour = shaded(cast(Colour, image.getpixel((1, 1))), tone)
        draw.polygon([(x, y), (x + wide, y), (x + wide + slant, y + tall), (x + slant, y + tall)], colour)
    shade = np.zeros((CANVAS[1], WIDTH), np.float32)
    for cell, strength in ((80, 0.07), (20, 0.035), (4, 0.035)):
        coarse = rng.normal(0, strength, (CANVAS[1] // cell + 2, WIDTH // cell + 2)).astype(np.float32)
        shade += np.asarray(Image.fromarray(coarse).resize((WIDTH, CANVAS[1]), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(np.asarray(image, np.float32) * (1 + shade[..., None]), 0, 255).astype(np.uint8))


def sample_road(rng: Rng, kind: str, heading: float) -> Road:
    """Draw what the road of one camera looks like."""
    wall = _choice(rng, WALLS)
    return Road(
        heading=heading,
        crossing=heading + math.pi / 2 + float(rng.normal(0, 0.2)) if kind == "junction" else None,
        verge=_choice(rng, VERGES[kind]),
        kerb=float(rng.uniform(1.9, 3.0)),
        lanes=int(rng.integers(1, 5)),
        dashed=bool(rng.random() < 0.65),
        middle=YELLOW if rng.random() < 0.5 else MARKING,
        wall=wall,
        wall_height=float(rng.choice([0.0, 1.0, 2.5, 5.0])) if kind != "highway" else 0.8,
        wall_gap=float(rng.uniform(1.0, 5.0)),
        windows=bool(wall[1] < wall[0] and rng.random() < 0.7),
        zebra=bool(kind in ("junction", "gate") and rng.random() < 0.4),
    )


def draw_road(draw: Pen, road: Road, view: View, lane: int, shift: float) -> None:
    """Draw marks, kerbs and what lies next to the road, as seen by the camera that looks at a vehicle.

    Args:
        draw: onto a canvas of asphalt.
        road: the road.
        view: the camera; its vehicle drives in ``lane``.
        lane: number of lanes to the right of the vehicle's.
        shift: metres by which the road is moved along, so that dashes are not always in the same place.
    """
    ground = Ground(replace(view, yaw=road.heading))
    right, left = -road.kerb - 3.4 * lane, road.kerb + 3.4 * (road.lanes - 1 - lane)
    sides = [(left, 1), (right, -1)]
    for edge, side in sides:
        ground.strip(edge, edge + side * 40, road.verge)
        ground.strip(edge, edge + side * 0.3, shaded(road.verge, 1.25))
    for edge, side in sides:
        ground.strip(edge - side * 0.45, edge - side * 0.3, MARKING)
        if ground.is_far(side):
            _wall(ground, road, edge + side * road.wall_gap)
    for number in range(1, road.lanes):
        mark = right + road.kerb - 1.7 + 3.4 * number
        colour = road.middle if 2 * number == road.lanes else MARKING
        if road.dashed and 2 * number != road.lanes:
            for start in range(-21, 28, 7):
                ground.strip(mark - 0.08, mark + 0.08, colour, start + shift, start + shift + 3)
        else:
            ground.strip(mark - 0.08, mark + 0.08, colour)
    if road.zebra:
        zebra = 3.0 + shift
        for number in range(int((left - right) / 1.1)):
            ground.strip(right + 0.3 + 1.1 * number, right + 0.85 + 1.1 * number, MARKING, zebra, zebra + 3)
    ground.draw(draw)


class Ground:
    """Collects flat things in the frame of the road (forward, left, up), to project and draw all of them at once."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._reach = 0.9 * view.distance
        self._spots: list[tuple[float, float, float]] = []
        self._colours: list[Colour] = []

    def is_far(self, side: int) -> bool:
        """Return whether the left (1) or right (-1) edge of the road is the one away from the camera."""
        return side * float(self.view.ground_frame()[1, 1]) > 0.15

    def strip(self, left: float, right: float, colour: Colour, start: float | None = None,
              stop: float | None = None) -> None:  # fmt: skip
        """Fill the ground between two distances to the left, from ``start`` to ``stop`` metres ahead or endlessly."""
        a, b = self._ends() if start is None or stop is None else (start, stop)
        self.polygon([(a, left, 0), (b, left, 0), (b, right, 0), (a, right, 0)], colour)

    def polygon(self, spots: list[tuple[float, float, float]], colour: Colour) -> None:
        """Fill a polygon of four corners in space."""
        self._spots.extend(spots)
        self._colours.append(colour)

    def draw(self, pen: Pen) -> None:
        """Draw everything in the order in which it came."""
        xy, _ = self.view.project(np.array(self._spots, np.float32))
        for outline, colour in zip(xy.reshape(-1, 8).tolist(), self._colours):
            pen.polygon(outline, colour)

    def _ends(self) -> tuple[float, float]:
        away = float(self.view.ground_frame()[0, 1])
        near, far = -self._reach, 4 * self.view.distance
        return (near, far) if away >= 0 else (-far, -near)


def _wall(ground: Ground, road: Road, edge: float) -> None:
    """Add something upright along the road: a hedge, a wall, a fence or a house."""
    high = road.wall_height
    if not high:
        return
    ground.polygon([(-60, edge, 0), (60, edge, 0), (60, edge, high), (-60, edge, high)], road.wall)
    if road.windows and high > 2:
        for start in range(-24, 24, 4):
            for floor in (0.8, 3.2):
                if floor + 1.4 < high:
                    pane = [(start, floor), (start + 1.8, floor), (start + 1.8, floor + 1.4), (start, floor + 1.4)]
                    ground.polygon([(x, edge, z) for x, z in pane], (66, 76, 86))
    elif not road.windows:
        for start in range(-24, 24, 3):
            ground.polygon([(start, edge, 0), (start + 0.5, edge, 0), (start + 0.5, edge, high), (start, edge, high)],
                           shaded(road.wall, 0.8))  # fmt: skip


def draw_occluder(draw: Pen, rng: Rng) -> None:
    """Draw something that stands between the camera and the vehicle: a post, leaves, or a railing."""
    kind, x = int(rng.integers(3)), rng.uniform(0.12, 0.88) * CANVAS[0]
    tone = int(rng.integers(40, 150))
    if kind == 0:
        half = rng.uniform(3, 9)
        draw.rectangle((x - half, 0, x + half, CANVAS[1]), (tone, tone, tone + 4))
        draw.rectangle((x + half * 0.4, 0, x + half, CANVAS[1]), (tone * 3 // 4,) * 3)
    elif kind == 1:
        top = rng.random() < 0.6
        for _ in range(36):
            cx, r, shade = x + rng.normal(0, 34), rng.uniform(5, 15), rng.uniform(0.5, 1.1)
            cy = rng.exponential(26) if top else CANVAS[1] - rng.exponential(18)
            leaf = (int(62 * shade), int(88 * shade), int(46 * shade))
            draw.ellipse((cx - r, cy - 0.7 * r, cx + r, cy + 0.7 * r), leaf)
    else:
        rail = CANVAS[1] - rng.uniform(48, 78)
        for post in range(-8, CANVAS[0], 22):
            draw.line([(post, rail), (post, CANVAS[1])], (tone, tone, tone), 3)
        draw.line([(0, rail), (CANVAS[0], rail)], (tone, tone, tone), 6)


def _choice(rng: Rng, options: list[Colour]) -> Colour:
    return options[int(rng.integers(len(options)))]
