"""Renders the frames of a video of people: the twins' people, cameras and scenes, several people at once."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.camera import DAYLIGHT, Camera, photograph, sample_camera
from reidzoo.render.people.body import CANVAS, Figure, Painter, Pose, sample_pose
from reidzoo.render.people.fabric import upper_texture
from reidzoo.render.people.person import Person, sample_person
from reidzoo.render.people.styles import STYLES
from reidzoo.render.people.walks import Walk, plan_walks

__all__ = ["FRAME_SIZE", "Filmer", "Seen"]

FRAME_SIZE = (640, 256)
"""Width and height of a frame, pixels."""
MARGIN = 120
"""Pixels of the drawing at either side of the view, where people are who are half in it."""
STRIP = 200
"""Width of the strip of the drawing that one person is painted on."""
BEFORE = 1000
"""Added to the frame at which a walk starts, which may be before the first one; seeds are not negative."""
SCALE = 0.5
"""Body heights that a person walks in half a cycle of the gait."""
STYLE = "Market1501"
CAMERA, PERSON, WALK, PACE, FRAME = range(5)
"""What a random stream is for; part of its seed."""


class Seen(NamedTuple):
    """One person in one frame: the box in pixels of the frame, and the share of the person that can be seen."""

    person: int
    left: float
    top: float
    width: float
    height: float
    visibility: float


class Filmer:
    """Films people before several cameras; two of them with the same seed render the same pixels.

    Args:
        seed: any non-negative integer.
        people: keys of the identities.
        frames: of each camera's sequence.
    """

    def __init__(self, seed: int, people: Sequence[int], frames: int) -> None:
        self.people, self.frames = list(people), frames
        self._stream = (seed, zlib.crc32(b"video"))
        self.camera = lru_cache(maxsize=None)(self._camera)
        self.person = lru_cache(maxsize=None)(self._person)
        self.walks = lru_cache(maxsize=None)(self._walks)

    def film(self, camera: int, frame: int) -> tuple[Image.Image, list[Seen]]:
        """Render one frame, counted from 0, and say who is in it."""
        view = self.camera(camera)
        width, height = view.view.size
        drawing = Image.new("RGB", (width + 2 * MARGIN, height))
        drawing.paste(view.view, (MARGIN, 0))
        relief = Image.new("L", drawing.size)
        present = sorted((walk for walk in self.walks(camera) if walk.start <= frame < walk.end), key=lambda w: w.feet)
        masks = [self._paint(walk, frame, view, drawing, relief) for walk in present]
        seen = [seen for seen in _look(present, masks, (width, height)) if seen]
        rng = self._rng(FRAME, camera, frame)
        light = np.asarray(DAYLIGHT[-1], np.float32)
        box = (float(MARGIN), 0.0, float(MARGIN + width), float(height))
        return photograph(drawing, relief, FRAME_SIZE, box, view, light, rng), seen

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([*self._stream, *key])

    def _camera(self, number: int) -> Camera:
        return sample_camera(self._rng(CAMERA, number), STYLES[STYLE].cameras)

    def _person(self, key: int) -> tuple[Person, Image.Image]:
        person = sample_person(self._rng(PERSON, key), STYLES[STYLE].wardrobe)
        return person, upper_texture(person)

    def _walks(self, camera: int) -> list[Walk]:
        rng = self._rng(WALK, camera, self.people[0])
        return plan_walks(rng, self.people, camera, self.frames, self.camera(camera).view.width)

    def _paint(
        self, walk: Walk, frame: int, view: Camera, drawing: Image.Image, relief: Image.Image
    ) -> tuple[int, np.ndarray]:
        """Paint a person, and return where: the left edge of a strip of the drawing, and bool (H, STRIP) within it."""
        person, texture = self.person(walk.person)
        left = int(np.clip(MARGIN + walk.x(frame) - STRIP / 2, 0, drawing.width - STRIP))
        part = drawing.crop((left, 0, left + STRIP, drawing.height))
        own = Image.new("L", part.size)
        pose = self._pose(walk, frame, view, left)
        _shadow(part, pose)
        Figure(person, pose, texture).paint(Painter(part, own))
        drawing.paste(part, (left, 0))
        mask = np.asarray(own) > 0
        relief.paste(own, (left, 0), Image.fromarray(mask))
        return left, mask

    def _pose(self, walk: Walk, frame: int, view: Camera, left: int) -> Pose:
        """Return the pose at a frame, on a strip that begins at ``left``: one and the same gait over a whole walk."""
        rng = self._rng(PACE, walk.person, walk.camera, walk.start + BEFORE)
        pose = sample_pose(rng, walk.direction * (math.pi / 2 - walk.turn), view.elevation, standing=0.0)
        height = CANVAS[1] * walk.zoom * SCALE
        changes = {
            "phase": pose.phase + math.pi * walk.walked(frame) / height,
            "stride": 0.05 if walk.stands(frame) else pose.stride,
            "feet": (MARGIN + walk.x(frame) - left, walk.feet),
            "zoom": walk.zoom,
        }
        return Pose(**{**vars(pose), **changes})


def _shadow(drawing: Image.Image, pose: Pose) -> None:
    """Draw a soft dark patch under the feet."""
    x, y = pose.feet
    wide, high = 60 * pose.zoom, 14 * pose.zoom
    mask = Image.new("L", drawing.size)
    ImageDraw.Draw(mask).ellipse((x - wide, y - high, x + wide, y + high), 80)
    drawing.paste((24, 24, 28), (0, 0), mask)


def _look(walks: Sequence[Walk], masks: Sequence[tuple[int, np.ndarray]], size: tuple[int, int]) -> list[Seen | None]:
    """Return who is seen, None for those who are outside of the view; the later ones stand before the earlier."""
    width, height = size
    hidden = np.zeros((height, width + 2 * MARGIN), bool)
    hidden[:, :MARGIN] = hidden[:, MARGIN + width :] = True
    inside = ~hidden
    scale = FRAME_SIZE[0] / width, FRAME_SIZE[1] / height
    seen: list[Seen | None] = []
    for walk, (left, mask) in zip(reversed(walks), reversed(masks)):
        strip = slice(left, left + STRIP)
        within = mask & inside[:, strip]
        rows, columns = np.flatnonzero(within.any(1)), np.flatnonzero(within.any(0)) + left - MARGIN
        if not len(rows):
            seen.append(None)
            continue
        box = columns[0] * scale[0], rows[0] * scale[1], (columns[-1] + 1) * scale[0], (rows[-1] + 1) * scale[1]
        share = float((mask & ~hidden[:, strip]).sum() / mask.sum())
        wide, high = float(box[2] - box[0]), float(box[3] - box[1])
        seen.append(Seen(walk.person, float(box[0]), float(box[1]), wide, high, share))
        hidden[:, strip] |= mask
    return seen[::-1]
