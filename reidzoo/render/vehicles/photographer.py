"""Renders the photographs of a twin of vehicles: all random numbers come from (seed, dataset, vehicle, photograph)."""

from __future__ import annotations

import math
import zlib
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.camera import DAYLIGHT, Camera, photograph, sample_camera
from reidzoo.render.people.layouts import Shot
from reidzoo.render.vehicles.mesh import Mesh
from reidzoo.render.vehicles.model import OUTLINES, Model, sample_model
from reidzoo.render.vehicles.parts import build_mesh
from reidzoo.render.vehicles.scene import Road, asphalt, draw_occluder, draw_road, sample_road
from reidzoo.render.vehicles.styles import VEHICLE_STYLES
from reidzoo.render.vehicles.vehicle import Vehicle, sample_vehicle
from reidzoo.render.vehicles.view import CANVAS, Light, Place, View, framed, paint, shadow

__all__ = ["VehiclePhotographer"]

Box = tuple[float, float, float, float]
CAMERA, VEHICLE, TRACK, SHOT, MODEL, VIEW = range(6)
"""What a random stream is for; part of its seed."""
PASSERS_BY = 20_000_000
"""First key of the vehicles in the background."""


class VehiclePhotographer:
    """Renders the shots of one style; two of them with the same seed render the same pixels.

    Args:
        style: a key of ``VEHICLE_STYLES``.
        seed: any non-negative integer.
    """

    def __init__(self, style: str, seed: int) -> None:
        self.style = VEHICLE_STYLES[style]
        self.seed = seed
        self._stream = (seed, zlib.crc32(style.encode()))
        self.camera = lru_cache(maxsize=None)(self._camera)
        self.road = lru_cache(maxsize=None)(self._road)
        self.vehicle = lru_cache(maxsize=256)(self._vehicle)
        self.mesh = lru_cache(maxsize=256)(self._mesh)

    def render(self, shot: Shot) -> list[Image.Image]:
        """Render one shot: an RGB image for each of its files, in their order."""
        camera, mesh = self.camera(shot.camera), self.mesh(shot.person)
        road = self.road(shot.camera)
        track, rng = self._rng(TRACK, shot.person, shot.camera), self._rng(SHOT, shot.person, shot.number, shot.camera)
        view = self.view(shot)
        light, colour = self._light(shot, camera, track, rng)
        drawing, relief = self._background(camera, track, rng), Image.new("L", CANVAS)
        pen = ImageDraw.Draw(drawing)
        draw_road(pen, road, view, int(track.integers(road.lanes)), float(rng.uniform(-3.5, 3.5)))
        other, place = self._other(mesh, rng)
        nearer = other is not None and view.is_nearer(place)
        if (
            other is not None and nearer and other.height > 1.15 * mesh.height
        ):  # a bus would hide a car altogether: it passes behind
            place, nearer = Place(-place.forward, -place.left, place.turn), False
        if other and not nearer:
            self._draw_vehicle(drawing, pen, other, view, light, place)
        self._draw_vehicle(drawing, pen, mesh, view, light)
        tight = paint(mesh, view, light, pen, ImageDraw.Draw(relief))
        if other and nearer:
            self._draw_vehicle(drawing, pen, other, view, light, place)
        if rng.random() < self.style.occluded:
            draw_occluder(pen, rng)
        images = []
        for _ in shot.files:
            box, size = self._box(tight, rng)
            images.append(photograph(drawing, relief, size, box, camera, colour, rng))
        return images

    def view(self, shot: Shot) -> View:
        """Return the view of the vehicle, which follows its road one way or the other; at a junction some turn."""
        camera, road, mesh = self.camera(shot.camera), self.road(shot.camera), self.mesh(shot.person)
        track, rng = self._rng(VIEW, shot.person, shot.camera), self._rng(VIEW, shot.person, shot.number, shot.camera)
        heading = road.heading + (math.pi if track.random() < 0.5 else 0)
        if road.crossing is not None and track.random() < self.style.turning:
            heading = road.crossing + (math.pi if track.random() < 0.5 else 0)
        spread = 0.08 if self.style.frontal else 0.2
        yaw = heading + track.normal(0, spread) + rng.normal(0, 0.6 * spread)
        far = track.uniform(*self.style.distance) * rng.uniform(0.88, 1.12)
        # A camera is not farther from a bus in proportion to its length, and never within reach of it.
        distance = max(1.6 * mesh.length, far * (0.5 * mesh.length + 2.3))
        elevation = camera.elevation + track.normal(0, 0.02) + rng.normal(0, 0.015)
        return framed(mesh, float(yaw), float(np.clip(elevation, 0.06, 0.6)), float(distance))

    def model(self, kind: str, number: int) -> Model:
        """Return one model of the pool, which all styles of a seed share: the same makers sell everywhere."""
        rng = np.random.default_rng([self.seed, MODEL, list(OUTLINES).index(kind), number])
        return sample_model(rng, kind, number)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([*self._stream, *key])

    def _camera(self, number: int) -> Camera:
        return sample_camera(self._rng(CAMERA, number), self.style.cameras, asphalt)

    def _road(self, number: int) -> Road:
        rng = self._rng(CAMERA, number, 1)
        heading = float(rng.normal(0, 0.16)) if self.style.frontal else self.camera(number).heading
        return sample_road(rng, self.camera(number).kind, heading)

    def _vehicle(self, key: int) -> Vehicle:
        return sample_vehicle(self._rng(VEHICLE, key), self.style.fleet)

    def _mesh(self, key: int) -> Mesh:
        vehicle = self.vehicle(key)
        return build_mesh(vehicle, self.model(vehicle.kind, vehicle.model))

    def _background(self, camera: Camera, track: np.random.Generator, rng: np.random.Generator) -> Image.Image:
        room = camera.view.width - CANVAS[0]
        left = int(np.clip(track.uniform(0, room) + rng.normal(0, 40), 0, room))
        return camera.view.crop((left, 0, left + CANVAS[0], CANVAS[1]))

    def _other(self, mesh: Mesh, rng: np.random.Generator) -> tuple[Mesh | None, Place]:
        """Draw another vehicle, or none, in the next lane, or ahead or behind in this one."""
        key, next_lane, side = PASSERS_BY + int(rng.integers(64)), rng.random() < 0.6, 1 if rng.random() < 0.5 else -1
        along, gap = rng.uniform(1.5, 7) * (1 if rng.random() < 0.5 else -1), rng.uniform(1.2, 3.5)
        if rng.random() >= self.style.company:
            return None, Place()
        other = self.mesh(key)
        room = (mesh.length + other.length) / 2
        if next_lane:
            return other, Place(float(along), side * float(rng.uniform(3.0, 3.8)), float(rng.normal(0, 0.05)))
        return other, Place(side * float(room + gap), float(rng.normal(0, 0.3)), float(rng.normal(0, 0.05)))

    def _draw_vehicle(self, drawing: Image.Image, pen: ImageDraw.ImageDraw, mesh: Mesh, view: View, light: Light,
                      place: Place | None = None) -> None:  # fmt: skip
        """Draw the shadow of a vehicle, and the vehicle itself if it is another one."""
        outline = shadow(mesh, view, light, place)
        left, top = max(0, int(min(outline[::2]))), max(0, int(min(outline[1::2])))
        size = min(CANVAS[0], int(max(outline[::2])) + 1) - left, min(CANVAS[1], int(max(outline[1::2])) + 1) - top
        if min(size) > 0:
            mask, moved = Image.new("L", size), (np.reshape(outline, (-1, 2)) - (left, top)).ravel().tolist()
            ImageDraw.Draw(mask).polygon(moved, int(95 + 150 * light.direct))
            drawing.paste((26, 27, 31), (left, top), mask)
        if place is not None:
            paint(mesh, view, light, pen, place=place)

    def _light(self, shot: Shot, camera: Camera, track: np.random.Generator,
               rng: np.random.Generator) -> tuple[Light, np.ndarray]:  # fmt: skip
        """Return sun and clouds, and the colour of the light at the time of day."""
        turn = math.pi * camera.sun + (0.8 * (shot.time - 1) if shot.time >= 0 else 0.0)
        height = 1.1 if shot.time == 1 else 0.6
        direct = float(max(0.0, track.uniform(-0.1, 0.4)))
        level = math.cos(height)
        sun = np.array([math.sin(turn) * level, math.cos(turn) * level, math.sin(height)], np.float32)
        dusk = 0.04 if self.style.daylight or shot.time == 1 else 0.25
        lit, brakes = bool(track.random() < dusk), bool(rng.random() < 0.2)
        light = Light(sun, direct, float(rng.uniform(0.05, 0.4)), lit, brakes)
        wander = self.style.cameras.exposure * 0.4
        colour = np.asarray(DAYLIGHT[shot.time], np.float32) * np.float32(track.lognormal(0, wander))
        return light, colour * (1.06 - 0.35 * direct)

    def _box(self, tight: Box, rng: np.random.Generator) -> tuple[Box, tuple[int, int]]:
        """Return the box around the vehicle, kept within the drawing, and the size of the image cut from it."""
        error = self.style.jitter
        width = (tight[2] - tight[0]) * 1.06 * math.exp(rng.normal(0, error))
        height = (tight[3] - tight[1]) * 1.08 * math.exp(rng.normal(0, error))
        width, height = min(width, CANVAS[0] - 1), min(height, CANVAS[1] - 1)
        centre_x = (tight[0] + tight[2]) / 2 + width * rng.normal(0, error)
        centre_y = (tight[1] + tight[3]) / 2 + height * rng.normal(0, error)
        left = float(np.clip(centre_x - width / 2, 0, CANVAS[0] - width))
        top = float(np.clip(centre_y - height / 2, 0, CANVAS[1] - height))
        scale = int(rng.integers(self.style.size[0], self.style.size[1] + 1)) / max(width, height)
        return (left, top, left + width, top + height), (max(24, round(width * scale)), max(24, round(height * scale)))
