"""Draws a person: an articulated body, posed, turned, projected, and painted part by part from far to near."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import cast

import numpy as np
from PIL import Image, ImageDraw

from reidzoo.render.people.fabric import ALL_OVER, upper_texture, visible_half
from reidzoo.render.people.person import Colour, Person, shaded

__all__ = ["CANVAS", "Figure", "Painter", "Pose", "sample_pose"]

CANVAS = (176, 352)
"""Width and height in pixels of the drawing, about twice as fine as the photograph."""
UNIT = 268.0
"""Pixels per body height of an average person."""
Point = tuple[float, float]
Fill = Colour | Image.Image


@dataclass(frozen=True)
class Pose:
    """The pose of a person at one moment of a walk.

    Attributes:
        yaw: radians between the walking direction and the camera: 0 comes towards it, pi / 2 goes to the right.
        elevation: radians by which the camera looks down.
        phase: radians of the gait cycle.
        stride: swing of the legs, radians; near 0 for a standing person.
        lean: forward lean of the trunk, shares of the body height.
        elbow: bend of the two elbows, radians.
        glance: how far the head is turned from the walking direction, radians.
        feet: where the middle between the feet stands on the canvas.
        zoom: size of the person against the average.
    """

    yaw: float
    elevation: float
    phase: float
    stride: float
    lean: float
    elbow: tuple[float, float]
    glance: float
    feet: Point
    zoom: float = 1.0


class Painter:
    """Paints shapes twice: in colour, and as grey levels of nearness from which the photograph's shading is made."""

    def __init__(self, colour: Image.Image, relief: Image.Image) -> None:
        self.colour = colour
        self.relief = relief
        self._pen = ImageDraw.Draw(colour)
        self._grey = ImageDraw.Draw(relief)

    def polygon(self, points: Sequence[Point], fill: Fill, level: int) -> None:
        """Fill a polygon with a colour, or with a texture stretched over its bounding box."""
        self._grey.polygon(points, level)
        if isinstance(fill, tuple):
            self._pen.polygon(points, fill)
            return
        left, top = int(min(x for x, _ in points)), int(min(y for _, y in points))
        size = (int(max(x for x, _ in points)) - left + 1, int(max(y for _, y in points)) - top + 1)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], 255)
        self.colour.paste(fill.resize(size, Image.Resampling.BILINEAR), (left, top), mask)

    def ellipse(self, centre: Point, rx: float, ry: float, fill: Colour, level: int) -> None:
        """Fill an axis-parallel ellipse."""
        box = (centre[0] - rx, centre[1] - ry, centre[0] + rx, centre[1] + ry)
        self._pen.ellipse(box, fill)
        self._grey.ellipse(box, level)

    def limb(self, a: Point, b: Point, ra: float, rb: float, fill: Fill, level: int) -> None:
        """Fill a tapered, round-ended stroke from ``a`` (radius ``ra``) to ``b`` (radius ``rb``)."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length, dx / length
        outline = [
            (a[0] + nx * ra, a[1] + ny * ra), (b[0] + nx * rb, b[1] + ny * rb),
            (b[0] - nx * rb, b[1] - ny * rb), (a[0] - nx * ra, a[1] - ny * ra),
        ]  # fmt: skip
        joint = fill if isinstance(fill, tuple) else cast(Colour, fill.getpixel((fill.width // 2, fill.height // 2)))
        self.ellipse(a, ra, ra, joint, level)
        self.ellipse(b, rb, rb, joint, level)
        self.polygon(outline, fill, level)


def along(a: Point, b: Point, share: float) -> Point:
    """Return the point at ``share`` of the way from ``a`` to ``b``."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


class Figure:
    """One person in one pose, ready to be painted."""

    def __init__(self, person: Person, pose: Pose, texture: Image.Image | None = None) -> None:
        self.person, self.pose = person, pose
        self.scale = UNIT * person.height * pose.zoom
        self.thick = self.scale * person.build
        self._sin, self._cos = math.sin(pose.yaw), math.cos(pose.yaw)
        self._down, self._up = math.sin(pose.elevation), math.cos(pose.elevation)
        self._texture = texture or upper_texture(person)
        self._joints = self._skeleton()

    def paint(self, painter: Painter) -> None:
        """Paint all parts in the order of their distance from the camera."""
        parts: list[tuple[float, Callable[[Painter, int], None]]] = [(0.0, self._torso), (0.02, self._head)]
        for side in (-1, 1):
            depth = -side * self._sin
            parts.append((0.11 * depth, partial(self._arm, side=side)))
            parts.append((-0.3 + 0.05 * depth, partial(self._leg, side=side)))
        if self.person.skirt:
            parts.append((-0.2, self._skirt))
        parts.append((-0.15 * self._cos, self._hair_behind))
        if self.person.bag == "backpack":
            parts.append((-0.16 * self._cos, self._backpack))
        elif self.person.bag != "none":
            parts.append((0.14 * -self._bag_side() * self._sin + 0.01, self._side_bag))
        parts.sort(key=lambda part: part[0])
        for rank, (_, part) in enumerate(parts):
            part(painter, 110 + 14 * rank)

    def project(self, lateral: float, up: float, forward: float) -> Point:
        """Return the canvas position of a point of the body, given in shares of the body height."""
        x = lateral * self._cos + forward * self._sin
        near = forward * self._cos - lateral * self._sin
        # What is high up is nearer to a camera that looks down, so it appears wider.
        wide, rise = 1 + 0.3 * self._down * (up - 0.5), up * self._up - near * self._down
        return self.pose.feet[0] + self.scale * x * wide, self.pose.feet[1] - self.scale * rise

    def _sides(self, sections: Sequence[tuple[float, float, float, float]]) -> tuple[list[Point], list[Point]]:
        """Return the left and right outline of a trunk.

        Args:
            sections: its elliptic cross-sections: (height, half width, half depth, forward).
        """
        left, right = [], []
        for height, lateral, depth, forward in sections:
            x, y = self.project(0, height, forward)
            half = self.thick * math.hypot(lateral * self._cos, depth * self._sin)
            left.append((x - half, y))
            right.append((x + half, y))
        return left, right

    @staticmethod
    def _hem(left: Point, right: Point, drop: float) -> list[Point]:
        """Return the near half of a round hem between its outermost points, as a camera that looks down sees it."""
        ends = [along(left, right, share) for share in (0.15, 0.35, 0.65, 0.85)]
        return [(x, y + drop * fall) for (x, y), fall in zip(ends, (0.6, 1.0, 1.0, 0.6))]

    def _skeleton(self) -> dict[str, Point]:
        pose, joints = self.pose, {}
        swing = pose.stride * math.sin(pose.phase)
        bob = 0.012 * pose.stride * math.cos(2 * pose.phase)
        for side in (-1, 1):
            leg = swing * side
            bend = 0.12 + 0.9 * pose.stride * max(0.0, math.cos(pose.phase) * side)
            knee = (0.045 * side, 0.51 + bob - 0.235 * math.cos(leg), 0.235 * math.sin(leg))
            shin = leg - bend * 0.8
            ankle = (0.042 * side, knee[1] - 0.24 * math.cos(shin), knee[2] + 0.24 * math.sin(shin))
            joints[f"hip{side}"] = self.project(0.05 * side, 0.51 + bob, 0)
            joints[f"knee{side}"] = self.project(*knee)
            joints[f"ankle{side}"] = self.project(*ankle)
            joints[f"toe{side}"] = self.project(0.05 * side, ankle[1] - 0.028, ankle[2] + 0.075)
            reach = self.person.shoulders * self.person.build**0.7
            arm = -leg * 0.8 + 0.05
            fore = arm + pose.elbow[side > 0]
            elbow = (0.122 * reach * side, 0.79 + bob - 0.165 * math.cos(arm), pose.lean + 0.17 * math.sin(arm))
            inward = 1 - 0.18 * math.sin(fore)
            hand = (elbow[0] * inward, elbow[1] - 0.16 * math.cos(fore), elbow[2] + 0.16 * math.sin(fore))
            joints[f"shoulder{side}"] = self.project(0.1 * reach * side, 0.79 + bob, pose.lean)
            joints[f"elbow{side}"], joints[f"hand{side}"] = self.project(*elbow), self.project(*hand)
        joints["head"] = self.project(0, 0.928 + bob, pose.lean * 1.3 + 0.012)
        return joints

    def _torso(self, painter: Painter, level: int) -> None:
        person, lean = self.person, self.pose.lean
        broad = person.shoulders
        sections = [
            (0.855, 0.032, 0.032), (0.84, 0.07 * broad, 0.045), (0.812, 0.116 * broad, 0.055),
            (0.72, 0.1 * broad, 0.07), (0.62, 0.098 * person.waist, 0.064), (0.53, 0.098, 0.07),
        ]  # fmt: skip
        if person.hem < 0.5:
            flare = 4 * (0.5 - person.hem)
            sections.append((person.hem, 0.1 + 0.05 * flare, 0.075 + 0.03 * flare))
        left, right = self._sides([(*section, lean * (section[0] - 0.5) * 3) for section in sections])
        neck = self.project(0, 0.84, lean)
        slim, head = self.scale * 0.028, self._joints["head"]
        painter.limb(neck, head, slim, slim, shaded(person.skin, 0.86), level - 4)
        if person.hem >= 0.49 and not person.skirt:  # the seat of the trousers under a short top
            seat = self._sides([(0.535, 0.096, 0.07, 0.0), (0.5, 0.097, 0.075, 0.0)])
            crotch = self._hem(seat[0][-1], seat[1][-1], 8)
            painter.polygon([*seat[0], *crotch, *seat[1][::-1]], person.lower, level - 6)
        cloth = visible_half(self._texture, self.pose.yaw, (64, 64))
        hem = self._hem(left[-1], right[-1], self.thick * 0.1 * self._down + 2)
        painter.polygon([*left, *hem, *right[::-1]], cloth, level)
        self._straps(painter, level + 3)

    def _straps(self, painter: Painter, level: int) -> None:
        """Paint the straps of a backpack, seen from the front, or of a satchel, seen from either side."""
        colour, wide = self.person.bag_colour, self.scale * 0.011
        if self.person.bag == "backpack" and self._cos > 0.1:
            for side in (-1, 1):
                top, low = self.project(0.065 * side, 0.838, 0.03), self.project(0.075 * side, 0.68, 0.06)
                painter.limb(top, low, wide, wide, colour, level)
        elif self.person.bag == "satchel":
            side, out = self._bag_side(), math.copysign(0.035, self._cos)
            top, low = self.project(-0.06 * side, 0.838, out), self.project(0.1 * side, 0.55, out)
            painter.limb(top, low, wide * 0.8, wide * 0.8, colour, level)

    def _arm(self, painter: Painter, level: int, side: int) -> None:
        person, joints, thick = self.person, self._joints, self.thick
        shoulder, elbow, hand = joints[f"shoulder{side}"], joints[f"elbow{side}"], joints[f"hand{side}"]
        if person.sleeve < 1:
            painter.limb(shoulder, elbow, thick * 0.026, thick * 0.022, person.skin, level)
            painter.limb(elbow, hand, thick * 0.022, thick * 0.017, person.skin, level)
        painter.ellipse(hand, thick * 0.022, thick * 0.024, person.skin, level)
        cloth: Fill = person.sleeves
        if person.pattern in ALL_OVER:
            cloth = self._texture.crop((0, 20, 20, 60))
        cuff = min(1.0, person.sleeve / 0.5)
        end = along(shoulder, elbow, cuff)
        painter.limb(shoulder, end, thick * 0.034, thick * (0.034 - 0.004 * cuff), cloth, level)
        if person.sleeve > 0.5:
            end = along(elbow, hand, person.sleeve * 1.84 - 0.92)
            painter.limb(elbow, end, thick * 0.03, thick * 0.025, cloth, level)

    def _leg(self, painter: Painter, level: int, side: int) -> None:
        person, joints, thick = self.person, self._joints, self.thick
        hip, knee, ankle, toe = (joints[f"{name}{side}"] for name in ("hip", "knee", "ankle", "toe"))
        wide = thick * person.leg_width
        painter.limb(ankle, toe, thick * 0.026, thick * 0.021, person.shoes, level - 2)
        if person.bottom < 0.97:
            skin = person.tights if person.skirt else person.skin
            painter.limb(hip, knee, thick * 0.045, thick * 0.034, skin, level)
            painter.limb(knee, ankle, thick * 0.033, thick * 0.02, skin, level)
        if person.skirt:
            return
        cuff = min(1.0, person.bottom / 0.5)
        painter.limb(hip, along(hip, knee, cuff), thick * 0.056, wide * 0.041, person.lower, level)
        if person.bottom > 0.55:
            end = along(knee, ankle, person.bottom * 2 - 1)
            painter.limb(knee, end, wide * 0.04, wide * 0.03, person.lower, level)
        if person.side_stripe and side * self._sin < 0.3:
            shift = side * self._cos * wide * 0.03
            ends = [(x + shift, y) for x, y in (hip, knee, ankle)]
            for start, end in pairwise(ends):
                painter.limb(start, end, 2.5, 2.0, person.accent, level + 2)

    def _skirt(self, painter: Painter, level: int) -> None:
        person = self.person
        hem = 0.51 * (1 - person.bottom) + 0.03
        sway = 0.03 * math.sin(self.pose.phase) * self.pose.stride
        wide = (0.098 * person.skirt, 0.085 * person.skirt)
        left, right = self._sides([(0.56, 0.085, 0.064, 0.0), (0.5, 0.098, 0.08, 0.0), (hem, *wide, sway)])
        round_hem = self._hem(left[-1], right[-1], 2 + self.thick * 0.15 * self._down)
        painter.polygon([*left, *round_hem, *right[::-1]], person.lower, level)

    def _head(self, painter: Painter, level: int) -> None:
        person, (x, y) = self.person, self._joints["head"]
        sin, cos = math.sin(self.pose.yaw + self.pose.glance), math.cos(self.pose.yaw + self.pose.glance)
        rx, ry = self.scale * (0.047 + 0.007 * abs(sin)), self.scale * 0.066
        hair = person.skin if person.hairstyle == "bald" else person.hair
        volume = {"bald": 1.0, "crop": 1.02, "short": 1.08}.get(person.hairstyle, 1.14)
        drop = self._down * ry * 0.5  # seen from above, the face sits lower in the outline
        painter.ellipse((x - sin * rx * 0.12, y - ry * 0.04), rx * volume, ry * volume, hair, level)
        face = rx * (0.55 + 0.32 * cos if cos > 0 else 0.55 + 0.7 * cos)
        if face > rx * 0.08:
            middle = (x + sin * (rx - face * 0.82), y + ry * 0.17 + drop)
            painter.ellipse(middle, face, ry * 0.82 - drop * 0.5, person.skin, level)
            if cos > 0.25:  # the shadows of the eyes and the mouth
                for aside, down, wide in ((-0.42, -0.08, 0.14), (0.42, -0.08, 0.14), (0.0, 0.42, 0.22)):
                    spot = (middle[0] + face * aside, middle[1] + ry * down)
                    painter.ellipse(spot, rx * wide, ry * 0.055, shaded(person.skin, 0.55), level)
        if person.hairstyle == "bun":
            painter.ellipse((x - sin * rx * 0.7, y - ry * 0.95), rx * 0.5, ry * 0.38, shaded(hair, 0.9), level - 1)
        if person.hat != "none":
            painter.ellipse((x, y - ry * 0.38), rx * 1.18, ry * 0.76, person.hat_colour, level + 2)
        if person.hat == "cap" and cos > -0.5:
            brim, peak = shaded(person.hat_colour, 0.75), (x + sin * rx * 0.85, y - ry * 0.02 + drop)
            painter.ellipse(peak, rx * (0.35 + 0.6 * abs(cos)), ry * 0.16, brim, level + 3)

    def _hair_behind(self, painter: Painter, level: int) -> None:
        """Paint long hair over the neck and the back."""
        person, (x, y) = self.person, self._joints["head"]
        length = {"long": 0.15, "bob": 0.055, "pony": 0.14}.get(person.hairstyle)
        if length is None:
            return
        narrow, out = (0.4, 1.6) if person.hairstyle == "pony" else (1.0, 1.0)
        back, wide = self.scale * 0.035 * self._sin * out, self.scale * 0.05 * narrow
        end = (x - back * 1.3, y + self.scale * length)
        painter.limb((x - back, y), end, wide, wide, shaded(person.hair, 0.92), level)

    def _bag_side(self) -> int:
        return 1 if self.person.key % 2 else -1

    def _backpack(self, painter: Painter, level: int) -> None:
        colour, box = self.person.bag_colour, ((0.835, 0.07), (0.8, 0.088), (0.62, 0.092), (0.585, 0.075))
        left, right = self._sides([(height, wide, 0.05, -0.105) for height, wide in box])
        painter.polygon([*left, *right[::-1]], colour, level)
        if self._cos < 0.3:
            left, right = self._sides([(0.69, 0.07, 0.03, -0.14), (0.61, 0.07, 0.03, -0.14)])
            painter.polygon([*left, *right[::-1]], shaded(colour, 0.8), level + 3)

    def _side_bag(self, painter: Painter, level: int) -> None:
        """Paint a satchel at the hip, or a bag carried in the hand."""
        side, colour = self._bag_side(), self.person.bag_colour
        half, tall = self.scale * (0.02 + 0.065 * abs(self._sin)), self.scale * 0.055
        if self.person.bag == "satchel":
            x, y = self.project(0.125 * side, 0.5, 0)
        else:
            x, y = self._joints[f"hand{side}"]
            painter.limb((x, y), (x, y + self.scale * 0.02), 2, 2, shaded(colour, 0.7), level)
            y += self.scale * 0.075
        outline = [(x - half * 0.9, y - tall), (x + half * 0.9, y - tall), (x + half, y + tall), (x - half, y + tall)]
        painter.polygon(outline, colour, level)


def sample_pose(rng: np.random.Generator, yaw: float, elevation: float, standing: float = 0.15) -> Pose:
    """Draw one moment of the walk of a person who moves in direction ``yaw`` (radians)."""
    still = rng.random() < standing
    carrying = rng.random(2) < 0.15
    elbow = [float(rng.uniform(1.2, 2.0) if busy else rng.uniform(0.1, 0.55)) for busy in carrying]
    return Pose(
        yaw=yaw,
        elevation=elevation,
        phase=float(rng.uniform(0, 2 * np.pi)),
        stride=float(rng.uniform(0.02, 0.12) if still else rng.uniform(0.35, 0.55)),
        lean=float(rng.normal(0.012, 0.01)),
        elbow=(elbow[0], elbow[1]),
        glance=float(rng.normal(0, 0.3)),
        feet=(CANVAS[0] / 2, CANVAS[1] - 38.0),
    )
