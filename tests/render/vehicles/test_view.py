from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reidzoo.render.vehicles.model import OUTLINES, sample_model
from reidzoo.render.vehicles.parts import build_mesh
from reidzoo.render.vehicles.styles import VEHICLE_STYLES
from reidzoo.render.vehicles.vehicle import Mark, Vehicle, sample_vehicle
from reidzoo.render.vehicles.view import CANVAS, ROOM, Light, Place, View, framed, paint, shadow

PINK = (255, 0, 255)
FLAT = Light(np.float32([0, 0, 1]), 0.0, 0.0)
FRONT, LEFT, REAR, RIGHT = 0.0, -math.pi / 2, math.pi, math.pi / 2
"""Yaws: a vehicle that goes to the right of the picture shows its right side."""


def a_vehicle(kind: str = "sedan", key: int = 0, **changes: object) -> Vehicle:
    while True:
        vehicle = sample_vehicle(np.random.default_rng(key), VEHICLE_STYLES["VeRi776"].fleet)
        if vehicle.kind == kind and not vehicle.sign:
            return replace(vehicle, **changes)
        key += 1


def draw(vehicle: Vehicle, yaw: float, elevation: float = 0.25, light: Light = FLAT) -> np.ndarray:
    model = sample_model(np.random.default_rng(7), vehicle.kind, vehicle.model)
    mesh = build_mesh(vehicle, model)
    image = Image.new("RGB", CANVAS, (110, 110, 110))
    paint(mesh, framed(mesh, yaw, elevation, 3 * mesh.length), light, ImageDraw.Draw(image))
    return np.asarray(image).astype(int)


def pink(image: np.ndarray) -> int:
    return int(((image[..., 0] > 120) & (image[..., 2] > 120) & (image[..., 1] < 40)).sum())


def test_projection_is_that_of_a_pinhole_camera() -> None:
    view = View(yaw=0.6, elevation=0.3, distance=12.0, scale=500.0, centre=(100.0, 80.0))
    point = np.array([1.5, -0.7, 1.2])
    # The same by hand: turn into the camera's frame, then divide by the depth.
    right = point[0] * math.sin(0.6) + point[1] * math.cos(0.6)
    away = -point[0] * math.cos(0.6) + point[1] * math.sin(0.6)
    depth = 12 + away * math.cos(0.3) - point[2] * math.sin(0.3)
    rise = away * math.sin(0.3) + point[2] * math.cos(0.3)
    xy, near = view.project(point[None].astype(np.float32))
    np.testing.assert_allclose(xy[0], (100 + 500 * right / depth, 80 - 500 * rise / depth), rtol=1e-5)
    assert near[0] == pytest.approx(depth, rel=1e-5)
    eye = view.eye()
    assert np.linalg.norm(eye) == pytest.approx(12, rel=1e-5)
    assert view.project(eye[None] * 0.5)[1][0] == pytest.approx(6, rel=1e-4)


@pytest.mark.parametrize("kind", OUTLINES)
def test_every_kind_fits_the_drawing_from_all_sides(kind: str) -> None:
    for step in range(12):
        image = draw(a_vehicle(kind, 50 * step), step * math.pi / 6, 0.1 + 0.03 * step)
        rows, columns = np.nonzero((image != 110).any(-1))
        assert rows.min() > 0 and rows.max() < CANVAS[1] - 1 and columns.min() > 0 and columns.max() < CANVAS[0] - 1
        assert rows.max() - rows.min() > 0.9 * ROOM[1] or columns.max() - columns.min() > 0.9 * ROOM[0]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"plate": PINK}, {FRONT, REAR}),
        ({"stickers": (Mark(1, 0.5, 0.6, 0.3, 0.3, PINK),)}, {FRONT}),
        ({"ornament": Mark(1, 0.5, 0.2, 0.3, 0.4, PINK)}, {FRONT}),
        ({"seats": PINK}, {FRONT}),
        ({"rear_stickers": (Mark(1, 0.5, 0.4, 0.3, 0.3, PINK),), "spoiler": False}, {REAR}),
        ({"dents": (Mark(1, 0.4, 0.4, 0.9, 0.3, PINK),), "stripe": "none", "emblem": None}, {LEFT}),
        ({"dents": (Mark(-1, 0.4, 0.4, 0.9, 0.3, PINK),), "stripe": "none", "emblem": None}, {RIGHT}),
        ({"emblem": Mark(1, 0.45, 0.5, 0.9, 0.4, PINK)}, {LEFT}),
        ({"emblem": Mark(2, 0.45, 0.5, 0.9, 0.4, PINK)}, {RIGHT}),
        ({"emblem": Mark(0, 0.45, 0.5, 0.9, 0.4, PINK)}, {LEFT, RIGHT}),
        ({"accent": PINK, "stripe": "low", "emblem": None}, {LEFT, RIGHT}),
        ({"rim_colour": PINK, "rim": "cover"}, {LEFT, RIGHT}),
    ],
)
def test_a_detail_is_seen_from_its_own_side_only(changes: dict[str, object], seen: set[float]) -> None:
    vehicle = a_vehicle(**{"stickers": (), "rack": "none", **changes})
    counts = {yaw: pink(draw(vehicle, yaw, 0.12)) for yaw in (FRONT, LEFT, REAR, RIGHT)}
    assert {yaw for yaw, count in counts.items() if count > 0.05 * max(counts.values())} == seen, counts
    assert max(counts.values()) > 20


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        *(("sedan", {"sunroof": "none"}, {"sunroof": value}) for value in ("small", "glass")),
        *(("suv", {"rack": "none"}, {"rack": value}) for value in ("rails", "bars", "box", "load")),
        *(("sedan", {"stripe": "none"}, {"stripe": value}) for value in ("low", "high", "double")),
        *(("sedan", {"rim": "cover"}, {"rim": value}) for value in ("five", "ten", "steel", "dark", "two-tone")),
        *(("truck", {"cargo": "box"}, {"cargo": value}) for value in ("cover", "stakes", "load")),
        *(("pickup", {"cargo": "none"}, {"cargo": value}) for value in ("cover", "load")),
        ("truck", {"cargo_colour": (200, 200, 200)}, {"cargo_colour": (20, 60, 20)}),
        ("sedan", {"spoiler": False}, {"spoiler": True}), ("sedan", {"sign": False}, {"sign": True}),
        ("suv", {"wiper": False}, {"wiper": True}), ("sedan", {"exhausts": 0}, {"exhausts": 2}),
        ("sedan", {"cladding": False}, {"cladding": True}), ("sedan", {"chrome": False}, {"chrome": True}),
        ("sedan", {"tint": 0.15}, {"tint": 0.9}), ("sedan", {"plate_shift": 0.0}, {"plate_shift": 0.22}),
        ("sedan", {"top": (20, 20, 20)}, {"top": (200, 20, 20)}), ("sedan", {"model": 0}, {"model": 1}),
        ("sedan", {"body": (20, 20, 20)}, {"body": (200, 20, 20)}), ("sedan", {"bonnet": PINK}, {"bonnet": (9, 9, 9)}),
    ],
)  # fmt: skip
def test_every_factor_is_visible(kind: str, before: dict[str, object], after: dict[str, object]) -> None:
    vehicle = a_vehicle(kind)
    changed = 0
    for yaw in (0.4, 2.6, -1.2):
        one, two = draw(replace(vehicle, **before), yaw), draw(replace(vehicle, **after), yaw)
        changed = max(changed, int((np.abs(one - two).sum(-1) > 30).sum()))
    assert changed > 25


def test_light_brightens_the_side_towards_the_sun() -> None:
    vehicle = a_vehicle(body=(120, 120, 120), top=(120, 120, 120))
    sides = [Light(np.float32([x, -0.6, 0.5]), 0.4, 0.0) for x in (0.0, 0.9)]
    towards, away = (draw(vehicle, LEFT, light=Light(np.float32([0, y, 0.5]), 0.4, 0.0)).mean() for y in (-0.9, 0.9))
    assert towards > away + 1
    assert (draw(vehicle, 0.6, light=sides[0]) != draw(vehicle, 0.6, light=sides[1])).any()


def test_lamps_can_be_lit() -> None:
    dark, lit = (draw(a_vehicle(), yaw, light=replace(FLAT, headlamps=on, brakes=on))
                 for yaw, on in ((REAR, False), (REAR, True)))  # fmt: skip
    bright = [((image[..., 0] > 235) & (image[..., 1] < 80)).sum() for image in (dark, lit)]
    assert bright[1] > bright[0] + 50


def test_another_vehicle_stands_where_it_is_put() -> None:
    mesh = build_mesh(a_vehicle(), sample_model(np.random.default_rng(7), "sedan", 0))
    view = framed(mesh, FRONT, 0.25, 15.0)
    pen = ImageDraw.Draw(Image.new("RGB", CANVAS))
    left, _, right, _ = paint(mesh, view, FLAT, pen)
    beside = paint(mesh, view, FLAT, pen, place=Place(left=3.0))
    assert beside[0] > right - 5  # what comes towards the camera has its left on the picture's right
    behind = paint(mesh, view, FLAT, pen, place=Place(forward=-10.0))
    assert behind[2] - behind[0] < 0.8 * (right - left)
    assert view.is_nearer(Place(forward=3.0)) and not view.is_nearer(Place(forward=-3.0))
    long, short = (np.ptp(np.reshape(shadow(mesh, view, Light(np.float32([0.7, 0, 0.7]), sun, 0)), (-1, 2))[:, 0])
                   for sun in (0.4, 0.0))  # fmt: skip
    assert long > short
