"""The mesh of a vehicle: painted faces in space, so that what a camera sees follows from where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reidzoo.render.people.person import Colour
from reidzoo.render.vehicles.model import Model

__all__ = [
    "BODY",
    "GEAR",
    "GLASS",
    "HEADLAMP",
    "MATT",
    "PAINT",
    "TAIL_LAMP",
    "UNDER",
    "Flat",
    "Mesh",
    "MeshBuilder",
    "Spot",
]

Spot = tuple[float, float, float]
"""A point on the vehicle: metres from its front, metres to the left of its middle, metres above the road."""
Flat = tuple[float, float]

PAINT, GLASS, MATT, HEADLAMP, TAIL_LAMP = range(5)
"""What a patch is made of, which says how it takes the light."""
UNDER, BODY, GEAR = range(3)
"""The three layers, painted one after the other: wheels and far mirror, body, and what stands out from it."""


@dataclass(frozen=True)
class Mesh:
    """Holds P patches on F faces on parts of the body, all points in one array, to be projected at once.

    Attributes:
        points: float32 (N, 3): forward, left and up from the middle of the vehicle on the road, metres.
        spans: first and last point (exclusive) of each patch.
        face_of: face of each patch (P,), ascending.
        colours: float32 (P, 3).
        material: what each patch is made of (P,): ``PAINT``, ``GLASS``, ``MATT``, ``HEADLAMP`` or ``TAIL_LAMP``.
        widths: 0 for a filled polygon, else the width of a line in metres (P,).
        normals, centres: float32 (F, 3) of each face; the normal points outwards.
        order: int (F, 3): layer, part, and 1 for what is painted after the other faces of its part.
        two_sided: bool (F,): faces that are seen from behind too.
        parts: float32 (parts, 3), middle of each part.
        length, width, height: metres.
    """

    points: np.ndarray
    spans: list[tuple[int, int]]
    face_of: np.ndarray
    colours: np.ndarray
    material: np.ndarray
    widths: list[float]
    normals: np.ndarray
    centres: np.ndarray
    order: np.ndarray
    two_sided: np.ndarray
    parts: np.ndarray
    length: float
    width: float
    height: float


class MeshBuilder:
    """Collects the faces of one vehicle and the patches on them, in metres from its front.

    Args:
        model: gives the outline and the curve of the sides.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._points: list[Spot] = []
        self._spans: list[tuple[int, int]] = []
        self._patches: list[tuple[int, Colour, int, float]] = []
        self._faces: list[tuple[np.ndarray, np.ndarray, tuple[int, int, int], bool]] = []
        self._parts: dict[int, list[np.ndarray]] = {}

    def face(self, spots: Sequence[Spot], colour: Colour, material: int = PAINT, *, layer: int = BODY, part: int = 0,
             last: bool = False, inside: Spot | None = None, two_sided: bool = False) -> None:  # fmt: skip
        """Begin a face, filled with a colour; what is added next lies on it.

        Args:
            spots: its outline.
            colour: its colour.
            material: what it is made of.
            layer: one of ``UNDER``, ``BODY``, ``GEAR``.
            part: the part of the body it belongs to; parts are painted from far to near.
            last: paint it after the other faces of its part.
            inside: a point on its inner side; the middle of the vehicle if None.
            two_sided: it is seen from behind too.
        """
        corners = np.asarray(spots, np.float64)
        centre = corners.mean(axis=0)
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        if len(corners) > 4:  # a side: its corners do not lie in one plane
            normal = np.array([0.0, np.sign(centre[1]), 0.12])
        normal /= np.linalg.norm(normal) + 1e-9
        hub = np.array(inside or (self.model.length / 2, 0.0, self.model.height * 0.45))
        if normal @ (centre - hub) < 0:
            normal = -normal
        self._faces.append((normal, centre, (layer, part, int(last)), two_sided))
        self._parts.setdefault(part, []).append(centre)
        self.patch(spots, colour, material)

    def patch(self, spots: Sequence[Spot], colour: Colour, material: int = PAINT, width: float = 0.0) -> None:
        """Add a polygon, or a line of ``width`` metres, to the face begun last."""
        start = len(self._points)
        self._points.extend(spots)
        self._spans.append((start, len(self._points)))
        self._patches.append((len(self._faces) - 1, colour, material, width))

    def across(self, low: Flat, high: Flat, flat: Sequence[Flat]) -> list[Spot]:
        """Return points of the strip between two corners of the side view.

        Args:
            low: (metres from the front, height) of the strip's foot.
            high: of its head.
            flat: points on it: (from -1 at the right end to 1 at the left end, from 0 at the foot to 1 at the head).
        """
        wide = self.model.half_width(*low), self.model.half_width(*high)
        return [
            (low[0] + (high[0] - low[0]) * t, s * (wide[0] + (wide[1] - wide[0]) * t), low[1] + (high[1] - low[1]) * t)
            for s, t in flat
        ]

    def along(self, side: int, flat: Sequence[Flat], out: float = 0.0) -> list[Spot]:
        """Return points on the left (1) or right (-1) side, ``out`` metres off the sheet.

        Args:
            side: 1 or -1.
            flat: (metres from the front, height) of each point.
            out: metres.
        """
        return [(x, side * (self.model.half_width(x, z) + out), z) for x, z in flat]

    def box(self, x: Flat, y: Flat, z: Flat, colour: Colour, material: int = PAINT, *, layer: int = GEAR, part: int = 9,
            top: Colour | None = None) -> None:  # fmt: skip
        """Add a box: its extent from the front, to the left, and above the road, in metres."""
        (a, b), (c, d), (e, f) = x, y, z
        hub = ((a + b) / 2, (c + d) / 2, (e + f) / 2)
        sheets: list[list[Spot]] = [
            [(a, c, e), (a, d, e), (a, d, f), (a, c, f)], [(b, c, e), (b, d, e), (b, d, f), (b, c, f)],
            [(a, c, e), (b, c, e), (b, c, f), (a, c, f)], [(a, d, e), (b, d, e), (b, d, f), (a, d, f)],
        ]  # fmt: skip
        for sheet in sheets:
            self.face(sheet, colour, material, layer=layer, part=part, inside=hub)
        lid: list[Spot] = [(a, c, f), (b, c, f), (b, d, f), (a, d, f)]
        self.face(lid, top or colour, material, layer=layer, part=part, inside=hub)

    def mesh(self) -> Mesh:
        """Return what was collected, measured from the middle of the vehicle."""
        middle = np.array([self.model.length / 2, 0, 0])
        flip = np.array([-1, 1, 1])  # forward is positive from here on
        faces, colours, material, widths = zip(*self._patches)
        normals, centres, order, two_sided = zip(*self._faces)
        numbers = sorted(self._parts)
        parts = [np.mean(self._parts[number], axis=0) for number in numbers]
        ranked = [(layer, numbers.index(part), last) for layer, part, last in order]
        points = (np.asarray(self._points) - middle) * flip
        return Mesh(
            points=points.astype(np.float32),
            spans=self._spans,
            face_of=np.array(faces),
            colours=np.array(colours, np.float32),
            material=np.array(material),
            widths=list(widths),
            normals=(np.array(normals) * flip).astype(np.float32),
            centres=((np.array(centres) - middle) * flip).astype(np.float32),
            order=np.array(ranked),
            two_sided=np.array(two_sided),
            parts=((np.array(parts) - middle) * flip).astype(np.float32),
            length=self.model.length,
            width=self.model.width,
            height=float(points[:, 2].max()),
        )
