"""Paints the faces of a vehicle as a camera sees them, in a given light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from reidzoo.render.people.person import Colour
from reidzoo.render.vehicles.mesh import GLASS, HEADLAMP, MATT, TAIL_LAMP, Mesh

__all__ = ["CANVAS", "ROOM", "Light", "Place", "View", "framed", "paint", "shadow"]

CANVAS = (256, 208)
"""Width and height in pixels of the drawing, about twice as fine as the photograph."""
ROOM = (188.0, 146.0)
"""Width and height in pixels that the vehicle itself may take."""


@dataclass(frozen=True)
class Light:
    """The light in which a vehicle stands.

    Attributes:
        sun: unit vector towards the sun, in the camera's frame on the ground: right, away, up.
        direct: strength of the sunlight; 0 under clouds.
        reflection: how much of the sky the glass shows, 0 to 1.
        headlamps, brakes: whether they are lit.
    """

    sun: np.ndarray
    direct: float
    reflection: float
    headlamps: bool = False
    brakes: bool = False

    def colours(self, mesh: Mesh, normals: np.ndarray) -> list[Colour]:
        """Return the colour of every patch of a mesh whose faces have these normals (F, 3)."""
        up = normals[:, 2]
        factor = (0.7 + self.direct * np.maximum(normals @ self.sun, 0) + 0.1 * up)[mesh.face_of, None]
        sheen = np.maximum(up, 0)[mesh.face_of, None] ** 2
        rgb: np.ndarray = (
            mesh.colours * np.where(mesh.material == MATT, 0.6 + 0.4 * factor[:, 0], factor[:, 0])[:, None]
        )
        rgb = np.where((mesh.material == MATT)[:, None], rgb, rgb + (214 - rgb) * (0.1 * sheen))
        glass = (mesh.material == GLASS)[:, None]
        rgb = np.where(
            glass, rgb + (np.array([188, 202, 214], np.float32) - rgb) * self.reflection * (0.35 + 0.65 * sheen), rgb
        )
        if self.headlamps:
            rgb[mesh.material == HEADLAMP] = (255, 250, 226)
        if self.brakes:
            rgb[mesh.material == TAIL_LAMP] = (246, 52, 44)
        return [tuple(colour) for colour in np.clip(rgb, 0, 255).astype(np.uint8).tolist()]


@dataclass(frozen=True)
class Place:
    """The place of another vehicle: metres from the one the camera looks at, and how far it is turned against it."""

    forward: float = 0.0
    left: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True)
class View:
    """A camera on the vehicle.

    Attributes:
        yaw: radians between the vehicle's heading and the camera: 0 comes towards it, pi / 2 goes to the right.
        elevation: radians by which the camera looks down.
        distance: metres from the camera to the middle of the vehicle.
        scale: focal length in pixels.
        centre: where the middle of the vehicle on the road is on the canvas.
    """

    yaw: float
    elevation: float
    distance: float
    scale: float = 1.0
    centre: tuple[float, float] = (0.0, 0.0)

    def ground_frame(self) -> np.ndarray:
        """Return float32 (3, 3): rows are forward, left and up of the vehicle in (right, away, up) of the camera."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        return np.array([(sin, -cos, 0), (cos, sin, 0), (0, 0, 1)], np.float32)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return canvas positions (N, 2) and distances along the view (N,) of points (N, 3) in the vehicle's frame."""
        return self.project_ground(points @ self.ground_frame())

    def project_ground(self, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what ``project`` does, of points in (right, away, up) of the camera from the middle of the vehicle."""
        down, level = math.sin(self.elevation), math.cos(self.elevation)
        depth = np.maximum(self.distance + world[:, 1] * level - world[:, 2] * down, 0.05 * self.distance)
        rise = world[:, 1] * down + world[:, 2] * level
        xy = np.stack([world[:, 0], -rise], axis=1) * (self.scale / depth)[:, None]
        return xy + np.array(self.centre, np.float32), depth

    def is_nearer(self, place: Place) -> bool:
        """Return whether a place is nearer to the camera than the vehicle."""
        return bool(self.project(np.array([[place.forward, place.left, 0]], np.float32))[1][0] < self.distance)

    def eye(self) -> np.ndarray:
        """Return where the camera is, in the vehicle's frame."""
        away, up = -math.cos(self.elevation) * self.distance, math.sin(self.elevation) * self.distance
        return self.ground_frame() @ np.array([0, away, up], np.float32)


def framed(mesh: Mesh, yaw: float, elevation: float, distance: float, zoom: float = 1.0) -> View:
    """Return the view in which a vehicle fills the middle of the canvas."""
    xy, _ = View(yaw, elevation, distance).project(mesh.points)
    low, high = xy.min(axis=0), xy.max(axis=0)
    scale = zoom * float(min(ROOM[0] / (high[0] - low[0]), ROOM[1] / (high[1] - low[1])))
    middle = (low + high) / 2 * scale
    centre = (CANVAS[0] / 2 - float(middle[0]), CANVAS[1] / 2 - float(middle[1]))
    return View(yaw, elevation, distance, scale, centre)


def paint(mesh: Mesh, view: View, light: Light, pen: ImageDraw.ImageDraw, relief: ImageDraw.ImageDraw | None = None,
          place: Place | None = None) -> tuple[float, float, float, float]:  # fmt: skip
    """Paint a vehicle from its far to its near faces.

    Args:
        mesh: the vehicle.
        view: the camera, and through it where the vehicle stands.
        light: the light.
        pen: draws the colours.
        relief: draws the grey levels of nearness; None for a vehicle that is not the one in question.
        place: where it stands if it is another vehicle.

    Returns:
        left, top, right and bottom of what was painted, pixels.
    """
    points, normals, centres, parts = _placed(mesh, place)
    xy, _ = view.project(points)
    frame = view.ground_frame()
    away = centres - view.eye()
    visible = mesh.two_sided | ((away * normals).sum(axis=1) < 0)
    depth = view.project(centres)[1]
    part = view.project(parts)[1][mesh.order[:, 1]]
    ranked = np.lexsort((-depth, mesh.order[:, 2], -part, mesh.order[:, 0]))
    first = np.searchsorted(mesh.face_of, np.arange(len(normals) + 1)).tolist()
    colours, flat = light.colours(mesh, normals @ frame), xy.ravel().tolist()
    pixels = view.scale / view.distance
    for level, face in enumerate(ranked[visible[ranked]].tolist()):
        for patch in range(first[face], first[face + 1]):
            start, stop = mesh.spans[patch]
            outline = flat[2 * start : 2 * stop]
            if mesh.widths[patch]:
                pen.line(outline, colours[patch], max(1, round(mesh.widths[patch] * pixels)))
            else:
                pen.polygon(outline, colours[patch])
        if relief is not None:
            start, stop = mesh.spans[first[face]]
            relief.polygon(flat[2 * start : 2 * stop], 120 + min(level, 40))
    low, high = xy.min(axis=0), xy.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _placed(mesh: Mesh, place: Place | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return points, normals, centres and parts of a mesh that may stand elsewhere."""
    if place is None:
        return mesh.points, mesh.normals, mesh.centres, mesh.parts
    sin, cos = math.sin(place.turn), math.cos(place.turn)
    turn = np.array([(cos, sin, 0), (-sin, cos, 0), (0, 0, 1)], np.float32)
    shift = np.array([place.forward, place.left, 0], np.float32)
    return mesh.points @ turn + shift, mesh.normals @ turn, mesh.centres @ turn + shift, mesh.parts @ turn + shift


def shadow(mesh: Mesh, view: View, light: Light, place: Place | None = None) -> list[float]:
    """Return the outline, as a flat list, of the shadow on the road: the footprint, stretched away from the sun."""
    reach = 0.12 + 0.35 * light.direct * mesh.height
    half = np.array([mesh.length / 2, mesh.width / 2], np.float32)
    corners = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)], np.float32) * (half + 0.1)
    ground = np.concatenate([corners, np.zeros((4, 1), np.float32)], axis=1)
    if place is not None:
        ground = ground + np.array([place.forward, place.left, 0], np.float32)
    world = ground @ view.ground_frame()
    slant = np.array([light.sun[0], light.sun[1], 0], np.float32) * -reach
    both = np.concatenate([world, world + slant])
    xy, _ = view.project_ground(both)
    return _hull(xy).ravel().tolist()


def _hull(points: np.ndarray) -> np.ndarray:
    """Return the convex hull of a few points (N, 2), by Andrew's monotone chain."""
    ordered = sorted(map(tuple, points.tolist()))

    def half(ordered: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        chain: list[tuple[float, ...]] = []
        for point in ordered:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2], chain[-1]
                if (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))
