"""The models of vehicles: proportions, lamps and grille, which all vehicles of one model share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["EDGES", "OUTLINES", "POOL", "Model", "sample_model"]

Rng = np.random.Generator
Point = tuple[float, float]

EDGES = (
    "sill front", "bumper front", "nose", "cowl", "head", "crown", "tail", "deck", "rump", "bumper rear", "sill rear",
)  # fmt: skip
"""The corners of a side view, from below the front bumper over bonnet, windscreen and roof to below the rear bumper."""

OUTLINES: dict[str, tuple[Point, ...]] = {
    "sedan": ((0.025, 0.16), (0.0, 0.32), (0.025, 0.51), (0.27, 0.67), (0.43, 0.965), (0.54, 1.0), (0.68, 0.96),
              (0.85, 0.72), (0.98, 0.695), (1.0, 0.40), (0.98, 0.17)),
    "hatchback": ((0.025, 0.16), (0.0, 0.33), (0.03, 0.52), (0.25, 0.665), (0.42, 0.965), (0.55, 1.0), (0.84, 0.955),
                  (0.965, 0.68), (0.985, 0.62), (1.0, 0.38), (0.985, 0.17)),
    "suv": ((0.025, 0.2), (0.0, 0.36), (0.025, 0.58), (0.25, 0.675), (0.39, 0.97), (0.55, 1.0), (0.89, 0.97),
            (0.97, 0.67), (0.985, 0.61), (1.0, 0.38), (0.985, 0.2)),
    "van": ((0.02, 0.14), (0.0, 0.27), (0.015, 0.45), (0.11, 0.56), (0.25, 0.95), (0.42, 1.0), (0.955, 0.975),
            (0.985, 0.6), (0.99, 0.54), (1.0, 0.28), (0.985, 0.14)),
    "pickup": ((0.02, 0.2), (0.0, 0.36), (0.02, 0.57), (0.23, 0.665), (0.34, 0.97), (0.43, 1.0), (0.58, 0.97),
               (0.625, 0.625), (0.985, 0.62), (1.0, 0.36), (0.985, 0.22)),
    "bus": ((0.005, 0.11), (0.0, 0.22), (0.004, 0.36), (0.008, 0.39), (0.025, 0.9), (0.08, 1.0), (0.985, 0.985),
            (0.994, 0.62), (0.997, 0.5), (1.0, 0.28), (0.995, 0.12)),
    "truck": ((0.006, 0.17), (0.0, 0.27), (0.003, 0.45), (0.013, 0.52), (0.055, 0.95), (0.1, 1.0), (0.3, 0.98),
              (0.31, 0.6), (0.31, 0.5), (0.31, 0.3), (0.305, 0.2)),
}  # fmt: skip
"""Side views: (share of the length from the front, share of the height) for each of ``EDGES``."""

DIMENSIONS: dict[str, tuple[float, float, float]] = {
    "sedan": (4.6, 1.82, 1.46), "hatchback": (4.0, 1.74, 1.5), "suv": (4.6, 1.88, 1.72), "van": (4.5, 1.76, 1.92),
    "pickup": (5.1, 1.86, 1.74), "bus": (7.8, 2.35, 2.85), "truck": (5.9, 2.05, 2.2),
}  # fmt: skip
"""Length, width and height in metres."""
TUMBLE = {"sedan": 0.2, "hatchback": 0.19, "suv": 0.16, "van": 0.09, "pickup": 0.16, "bus": 0.03, "truck": 0.05}
"""How far the sides lean inwards from the belt line to the roof, share of the half width."""
WHEELS = {"suv": 0.37, "pickup": 0.38, "bus": 0.46, "truck": 0.42}
"""Radii in metres, where they are not a car's."""
POOL = {"sedan": 12, "hatchback": 6, "suv": 9, "van": 6, "pickup": 3, "bus": 4, "truck": 4}
"""How many models of each kind there are."""
HEADLAMPS = ("slim", "square", "round", "wing", "tall", "double")
TAIL_LAMPS = ("corner", "tall", "bar", "round", "ell", "slim")
GRILLES = ("bars", "mesh", "shield", "slot", "chrome", "pillars")


@dataclass(frozen=True)
class Model:
    """The proportions and styles that all vehicles of one model share.

    Attributes:
        kind: a key of ``OUTLINES``.
        number: number in the pool of its kind.
        length, width, height: metres.
        outline: side view, (metres from the front, metres above the road) for each of ``EDGES``.
        tumble: see ``TUMBLE``.
        wheel: radius of the wheels, metres.
        axles: metres from the front.
        panes: where the side windows are divided, metres from the front.
        headlamp, tail_lamp, grille: styles.
        handle: height of the door handles, metres.
    """

    kind: str
    number: int
    length: float
    width: float
    height: float
    outline: tuple[Point, ...]
    tumble: float
    wheel: float
    axles: tuple[float, ...]
    panes: tuple[float, ...]
    headlamp: str
    tail_lamp: str
    grille: str
    handle: float

    def corner(self, edge: str) -> Point:
        """Return (metres from the front, metres above the road) of one of ``EDGES``."""
        return self.outline[EDGES.index(edge)]

    def half_width(self, x: float, z: float) -> float:
        """Return the half width in metres at ``x`` from the front and height ``z``: ends and roof are narrower."""
        taper = 0.07 if self.kind in ("bus", "truck") else 0.17
        share = 1 - taper * max(0.0, 1 - x / (0.13 * self.length)) ** 2
        if self.kind != "truck":
            share -= 0.55 * taper * max(0.0, 1 - (self.length - x) / (0.1 * self.length)) ** 2
        belt = self.corner("cowl")[1]
        lean = min(1.0, max(0.0, (z - belt) / (self.height - belt)))
        return self.width / 2 * share * (1 - self.tumble * lean)


def sample_model(rng: Rng, kind: str, number: int) -> Model:
    """Draw one model of a kind."""
    length, width, height = (size * rng.normal(1, spread) for size, spread in zip(DIMENSIONS[kind], (0.05, 0.02, 0.03)))
    shift = rng.normal(0, 1, (len(EDGES), 2)) * (0.012, 0.014)
    if kind in ("bus", "truck"):
        shift *= (0.1, 1.0)
    shift[[0, -1]] = shift[3:6].mean(axis=0) * (0, 0.3)
    points = np.clip(np.asarray(OUTLINES[kind]) + shift, 0, 1.02) * (length, height)
    points[EDGES.index("crown"), 1] = height
    return Model(
        kind=kind,
        number=number,
        length=float(length),
        width=float(width),
        height=float(height),
        outline=tuple((float(x), float(z)) for x, z in points),
        tumble=TUMBLE[kind] * float(rng.uniform(0.85, 1.15)),
        wheel=WHEELS.get(kind, 0.32) * float(rng.uniform(0.93, 1.07)),
        axles=_axles(rng, kind, float(length)),
        panes=_panes(rng, kind, float(length)),
        headlamp=str(rng.choice(HEADLAMPS)),
        tail_lamp=str(rng.choice(TAIL_LAMPS)),
        grille=str(rng.choice(GRILLES)),
        handle=float(points[3, 1] * rng.uniform(0.84, 0.94)),
    )


def _axles(rng: Rng, kind: str, length: float) -> tuple[float, ...]:
    front, rear = {"van": (0.17, 0.8), "bus": (0.2, 0.74), "truck": (0.13, 0.77)}.get(kind, (0.185, 0.795))
    return tuple(length * (share + float(rng.normal(0, 0.01))) for share in (front, rear))


def _panes(rng: Rng, kind: str, length: float) -> tuple[float, ...]:
    if kind == "bus":
        count = int(rng.integers(4, 7))
        return tuple(length * (0.14 + 0.82 * i / count) for i in range(count))
    shares = {"sedan": (0.52, 0.73), "hatchback": (0.54, 0.78), "suv": (0.5, 0.73), "van": (0.36, 0.66),
              "pickup": (0.47,)}.get(kind, ())  # fmt: skip
    return tuple(length * (share + float(rng.normal(0, 0.012))) for share in shares)
