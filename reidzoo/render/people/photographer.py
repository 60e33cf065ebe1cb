"""Renders the photographs of a twin of people: all random numbers come from (seed, dataset, person, photograph)."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.camera import DAYLIGHT, Camera, photograph, sample_camera
from reidzoo.render.people.body import CANVAS, Figure, Painter, Pose, sample_pose
from reidzoo.render.people.fabric import upper_texture
from reidzoo.render.people.layouts import Shot
from reidzoo.render.people.person import Person, sample_person
from reidzoo.render.people.styles import STYLES
from reidzoo.render.scene import draw_occluder

__all__ = ["Photographer"]

Box = tuple[float, float, float, float]
CAMERA, PERSON, TRACK, SHOT = range(4)
"""What a random stream is for; part of its seed."""

PASSERS_BY = 20_000_000
"""First key of the people in the background."""


class Photographer:
    """Renders the shots of one style; two of them with the same seed render the same pixels.

    Args:
        style: a key of ``STYLES``.
        seed: any non-negative integer.
    """

    def __init__(self, style: str, seed: int) -> None:
        self.style = STYLES[style]
        self._stream = (seed, zlib.crc32(style.encode()))
        self.camera = lru_cache(maxsize=None)(self._camera)
        self.person = lru_cache(maxsize=256)(self._person)

    def render(self, shot: Shot) -> list[Image.Image]:
        """Render one shot: an RGB image for each of its files, in their order."""
        camera = self.camera(shot.camera)
        person, texture = self.person(shot.person)
        track, rng = self._rng(TRACK, shot.person, shot.camera), self._rng(SHOT, shot.person, shot.number, shot.camera)
        pose = self._pose(track, rng, camera)
        drawing = self._background(camera, track, rng)
        relief = Image.new("L", CANVAS)
        if rng.random() < self.style.company:
            self._passer_by(drawing, rng, camera)
        self._shadow(drawing, pose, camera)
        Figure(person, pose, texture).paint(Painter(drawing, relief))
        tight = relief.getbbox() or (0, 0, *CANVAS)
        if rng.random() < self.style.occluded:
            draw_occluder(ImageDraw.Draw(drawing), rng)
        light = self._light(shot, camera, track)
        images = []
        for _, kind in shot.files:
            box, size = self._box(tight, kind, rng)
            images.append(photograph(drawing, relief, size, box, camera, light, rng))
        return images

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([*self._stream, *key])

    def _camera(self, number: int) -> Camera:
        return sample_camera(self._rng(CAMERA, number), self.style.cameras)

    def _person(self, key: int) -> tuple[Person, Image.Image]:
        person = sample_person(self._rng(PERSON, key), self.style.wardrobe)
        return person, upper_texture(person)

    def _pose(self, track: np.random.Generator, rng: np.random.Generator, camera: Camera) -> Pose:
        """Draw a pose: people cross a camera's view along its path, one way or the other."""
        heading = camera.heading + (np.pi if track.random() < 0.5 else 0) + track.normal(0, 0.45)
        return sample_pose(rng, float(heading + rng.normal(0, 0.22)), camera.elevation)

    def _background(self, camera: Camera, track: np.random.Generator, rng: np.random.Generator) -> Image.Image:
        room = camera.view.width - CANVAS[0]
        left = int(np.clip(track.uniform(0, room) + rng.normal(0, 60), 0, room))
        return camera.view.crop((left, 0, left + CANVAS[0], CANVAS[1]))

    def _passer_by(self, drawing: Image.Image, rng: np.random.Generator, camera: Camera) -> None:
        person, texture = self.person(PASSERS_BY + int(rng.integers(64)))
        pose = sample_pose(rng, float(rng.uniform(0, 2 * np.pi)), camera.elevation)
        side = 1 if rng.random() < 0.5 else -1
        feet = (CANVAS[0] / 2 + side * rng.uniform(42, 75), CANVAS[1] - rng.uniform(45, 90))
        pose = Pose(**{**vars(pose), "feet": feet, "zoom": float(rng.uniform(0.7, 0.95))})
        Figure(person, pose, texture).paint(Painter(drawing, Image.new("L", CANVAS)))

    def _shadow(self, drawing: Image.Image, pose: Pose, camera: Camera) -> None:
        """Draw a soft dark patch on the ground, on the side away from the light."""
        x, y = pose.feet
        reach = -camera.sun * 40
        mask = Image.new("L", (CANVAS[0], 48))
        pen = ImageDraw.Draw(mask)
        for grow, dark in ((0, 50), (-4, 85), (-8, 115)):
            pen.ellipse((x + min(reach, 0) - 28 - grow, 8 - grow, x + max(reach, 0) + 28 + grow, 36 + grow), dark)
        drawing.paste((24, 24, 28), (0, int(y) - 26), mask)

    def _light(self, shot: Shot, camera: Camera, track: np.random.Generator) -> np.ndarray:
        """Return the colour of the light: the time of day outdoors, and how far the weather and the place move it."""
        daylight = np.asarray(DAYLIGHT[shot.time if camera.outdoor else -1], np.float32)
        wander = self.style.cameras.exposure * 0.4
        return daylight * np.float32(track.lognormal(0, wander))

    def _box(self, tight: Box, kind: str, rng: np.random.Generator) -> tuple[Box, tuple[int, int]]:
        """Return the box around the person, kept within the drawing, and the size of the image cut from it."""
        error = {"labeled": 0.012, "detected": self.style.jitter, "bad": 0.24}[kind]
        height = (tight[3] - tight[1]) * 1.06 * np.exp(rng.normal(0, error))
        low, high = self.style.aspect
        aspect = float(np.clip(1.12 * (tight[2] - tight[0]) / height * np.exp(rng.normal(0, error)), low, high))
        height = min(height, CANVAS[1] - 1, (CANVAS[0] - 1) / aspect)
        width = height * aspect
        centre_x = (tight[0] + tight[2]) / 2 + width * rng.normal(0, error * 1.3)
        centre_y = (tight[1] + tight[3]) / 2 + height * rng.normal(0, error)
        left = float(np.clip(centre_x - width / 2, 0, CANVAS[0] - width))
        top = float(np.clip(centre_y - height / 2, 0, CANVAS[1] - height))
        pixels = int(rng.integers(self.style.height[0], self.style.height[1] + 1))
        return (left, top, left + width, top + height), (round(pixels * aspect), pixels)
