"""Plans who walks where and when before the cameras of a rendered video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidzoo.render.people.body import CANVAS

__all__ = ["FAR", "NEAR", "Walk", "plan_walks"]

NEAR, FAR = CANVAS[1] - 14.0, CANVAS[1] - 130.0
"""Where the feet of the nearest and the farthest people stand, pixels of the drawing from its top."""
EDGE = 60.0
"""Pixels outside of the view at which a walk begins and ends."""
STEP = 7.6
"""Pixels of the drawing that a person of zoom 0.5 walks in a frame: 1.3 m/s at 13 frames per second."""


@dataclass(frozen=True)
class Walk:
    """One person's way across one camera's view, there in a straight line, with a stop or without.

    Attributes:
        person: key of the identity.
        camera: number of the camera, from 0.
        start: frame at which it begins, outside of the view; may be negative.
        direction: 1 to the right, -1 to the left.
        speed: pixels of the drawing per frame.
        feet: where the feet stand, pixels from the top of the drawing.
        turn: radians by which the person walks towards the camera rather than across.
        stop: first frame of a stop, counted from the start, and its length.
        width: of the view.
    """

    person: int
    camera: int
    start: int
    direction: int
    speed: float
    feet: float
    turn: float
    stop: tuple[int, int]
    width: int

    @property
    def zoom(self) -> float:
        """Size of the person against the drawing of a single one; nearer is larger."""
        return 0.40 + 0.22 * (self.feet - FAR) / (NEAR - FAR)

    @property
    def end(self) -> int:
        """The frame at which the person has left the view."""
        return self.start + int((self.width + 2 * EDGE) / self.speed) + self.stop[1]

    def walked(self, frame: int) -> float:
        """Return the pixels that the person has walked until a frame."""
        passed = frame - self.start
        at, length = self.stop
        return self.speed * (passed - min(max(passed - at, 0), length))

    def x(self, frame: int) -> float:
        """Return where the person is, pixels from the left of the view."""
        way = self.walked(frame) - EDGE
        return way if self.direction > 0 else self.width - way

    def stands(self, frame: int) -> bool:
        """Whether the person has stopped."""
        return self.stop[0] <= frame - self.start < self.stop[0] + self.stop[1]


def plan_walks(rng: np.random.Generator, people: list[int], camera: int, frames: int, width: int) -> list[Walk]:
    """Return the walks before one camera: each person crosses its view, and half of them come back.

    They cross each other both ways at different depths, so that people hide each other.
    """
    walks = []
    for person in people:
        feet = float(rng.uniform(FAR, NEAR))
        start = int(rng.integers(-30, max(frames // 2, 1)))
        direction = 1 if rng.random() < 0.5 else -1
        for _ in range(2 if rng.random() < 0.5 else 1):
            stop = (int(rng.integers(30, 80)), int(rng.integers(10, 30)) if rng.random() < 0.25 else 0)
            zoom = 0.40 + 0.22 * (feet - FAR) / (NEAR - FAR)
            speed = STEP * zoom / 0.5 * float(rng.uniform(0.8, 1.25))
            turn = float(rng.normal(0, 0.18))
            walks.append(Walk(person, camera, start, direction, speed, feet, turn, stop, width))
            start = walks[-1].end + int(rng.integers(5, 30))
            direction, feet = -direction, float(np.clip(feet + rng.normal(0, 25), FAR, NEAR))
    return walks
