"""Builds the mesh of a vehicle: sheet metal, glass, lamps, wheels, and what its owner added."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reidzoo.render.people.person import Colour, shaded
from reidzoo.render.vehicles.mesh import (
    BODY,
    GEAR,
    GLASS,
    HEADLAMP,
    MATT,
    PAINT,
    TAIL_LAMP,
    UNDER,
    Flat,
    Mesh,
    MeshBuilder,
    Spot,
)
from reidzoo.render.vehicles.model import Model
from reidzoo.render.vehicles.vehicle import TRIM, Mark, Vehicle

__all__ = ["build_mesh"]

LAMP: Colour = (220, 224, 230)
RED: Colour = (150, 24, 28)
AMBER: Colour = (214, 130, 40)
DARK: Colour = (30, 31, 34)
TYRE: Colour = (32, 32, 34)
CHROME: Colour = (190, 193, 197)
PANE: Colour = (50, 58, 66)
GLINT: Colour = (212, 216, 218)
CIRCLE = [(math.cos(i * math.pi / 6), math.sin(i * math.pi / 6)) for i in range(12)]

HEADLAMPS: dict[str, Sequence[Flat]] = {
    "slim": [(0.46, 0.72), (0.95, 0.6), (0.99, 0.92), (0.5, 0.88)],
    "square": [(0.58, 0.42), (0.96, 0.42), (0.96, 0.92), (0.58, 0.92)],
    "round": [(0.74 + 0.2 * x, 0.66 + 0.3 * y) for x, y in CIRCLE],
    "wing": [(0.44, 0.5), (0.88, 0.34), (0.99, 0.96), (0.7, 0.86)],
    "tall": [(0.7, 0.25), (0.97, 0.3), (0.99, 0.98), (0.8, 0.96)],
    "double": [(0.52, 0.6), (0.72, 0.6), (0.72, 0.5), (0.97, 0.5), (0.97, 0.9), (0.52, 0.9)],
}
TAIL_LAMPS: dict[str, Sequence[Flat]] = {
    "corner": [(0.58, 0.6), (0.99, 0.48), (0.99, 0.95), (0.6, 0.95)],
    "tall": [(0.78, 0.2), (0.99, 0.2), (0.99, 1.0), (0.8, 1.0)],
    "bar": [(0.3, 0.66), (0.99, 0.6), (0.99, 0.92), (0.3, 0.88)],
    "round": [(0.78 + 0.19 * x, 0.64 + 0.28 * y) for x, y in CIRCLE],
    "ell": [(0.52, 0.74), (0.82, 0.74), (0.82, 0.3), (0.99, 0.3), (0.99, 0.98), (0.52, 0.98)],
    "slim": [(0.44, 0.72), (0.99, 0.68), (0.99, 0.86), (0.44, 0.84)],
}
GRILLES: dict[str, Sequence[Flat]] = {
    "bars": [(-0.4, 0.5), (0.4, 0.5), (0.44, 0.9), (-0.44, 0.9)],
    "mesh": [(-0.34, 0.15), (0.34, 0.15), (0.44, 0.85), (-0.44, 0.85)],
    "shield": [(-0.16, 0.0), (0.16, 0.0), (0.3, 0.5), (0.26, 0.95), (-0.26, 0.95), (-0.3, 0.5)],
    "slot": [(-0.42, 0.72), (0.42, 0.72), (0.42, 0.88), (-0.42, 0.88)],
    "chrome": [(-0.42, 0.4), (0.42, 0.4), (0.42, 0.9), (-0.42, 0.9)],
    "pillars": [(-0.38, 0.3), (0.38, 0.3), (0.38, 0.92), (-0.38, 0.92)],
}


def rectangle(x0: float, x1: float, y0: float, y1: float) -> list[Flat]:
    """Return the corners of a rectangle on a face."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def build_mesh(vehicle: Vehicle, model: Model) -> Mesh:
    """Return the mesh of a vehicle."""
    car = Assembly(vehicle, model)
    car.wheels()
    car.front()
    car.top()
    car.rear()
    for side in (-1, 1):
        car.side(side)
        car.mirror(side)
    car.cargo()
    car.roof_gear()
    return car.build.mesh()


class Assembly:
    """Builds one vehicle; each method adds one region of it."""

    def __init__(self, vehicle: Vehicle, model: Model) -> None:
        self.vehicle, self.model, self.build = vehicle, model, MeshBuilder(model)
        self.plastic = TRIM if vehicle.cladding else shaded(vehicle.body, 0.93)
        self.heavy = vehicle.kind in ("bus", "truck")

    def strip(self, low: str, high: str, colour: Colour, material: int = PAINT) -> tuple[Flat, Flat]:
        """Begin the face across the vehicle between two corners of its side view, and return the corners."""
        ends = self.model.corner(low), self.model.corner(high)
        self.build.face(self.build.across(*ends, rectangle(-1, 1, 0, 1)), colour, material)
        return ends

    def patch(self, ends: tuple[Flat, Flat], flat: Sequence[Flat], colour: Colour, material: int = PAINT,
              width: float = 0.0) -> None:  # fmt: skip
        """Add a patch to the strip between ``ends``."""
        self.build.patch(self.build.across(*ends, flat), colour, material, width)

    def patch_pair(self, ends: tuple[Flat, Flat], flat: Sequence[Flat], colour: Colour, material: int = PAINT) -> None:
        """Add a patch and its mirror image."""
        for side in (-1, 1):
            self.patch(ends, [(side * s, t) for s, t in flat], colour, material)

    def wheels(self) -> None:
        """Add the tyres as they are seen under the body, from any side."""
        model, reach = self.model, 0.22 if not self.heavy else 0.3
        for axle in model.axles:
            wide = model.half_width(axle, 0.5)
            for side in (-1, 1):
                for end in (-0.75, 0.75):
                    x = axle + end * model.wheel
                    tread = [(x, side * y, z) for y, z in rectangle(wide - reach, wide, 0, 1.3 * model.wheel)]
                    self.build.face(tread, TYRE, MATT, layer=UNDER, two_sided=True)
                disc = [(axle + model.wheel * a, side * (wide - 0.1), model.wheel * (1 + b)) for a, b in CIRCLE]
                self.build.face(disc, TYRE, MATT, layer=UNDER, two_sided=True)
        rail = [(x, 0.0, z) for x, z in rectangle(0.1 * model.length, 0.94 * model.length, 0.2, 0.22 * model.height)]
        self.build.face(rail, DARK, MATT, layer=UNDER, two_sided=True)

    def front(self) -> None:
        """Add bumper, lamps, grille and number plate, bonnet and windscreen."""
        vehicle, model = self.vehicle, self.model
        bumper = self.strip("sill front", "bumper front", self.plastic)
        self.patch(bumper, rectangle(-0.62, 0.62, 0.12, 0.55), DARK, MATT)
        self.patch_pair(bumper, rectangle(0.7, 0.86, 0.3, 0.6), GLINT if model.number % 2 else DARK, MATT)
        nose = self.strip("bumper front", "nose", vehicle.body)
        self._grille(nose)
        self.patch_pair(nose, HEADLAMPS[model.headlamp], LAMP, HEADLAMP)
        if model.number % 3 == 0:
            self.patch_pair(nose, rectangle(0.88, 0.98, 0.3, 0.45), AMBER)
        shift = vehicle.plate_shift
        self._plate(nose, shift, 0.02, 0.3)
        low, high = model.corner("nose"), model.corner("cowl")
        crease = (low[0] + 0.45 * (high[0] - low[0]), low[1] + 0.55 * (high[1] - low[1]) + 0.01)
        for ends in ((low, crease), (crease, high)):
            self.build.face(self.build.across(*ends, rectangle(-1, 1, 0, 1)), vehicle.bonnet)
            for s in (-0.62, 0.62):
                self.patch(ends, [(s, 0), (s, 1)], shaded(vehicle.bonnet, 0.8), width=0.03)
        self._windscreen()

    def _grille(self, nose: tuple[Flat, Flat]) -> None:
        style, outline = self.model.grille, GRILLES[self.model.grille]
        if style == "chrome":
            self.patch(nose, [(s * 1.12, 0.65 + (t - 0.65) * 1.3) for s, t in outline], CHROME)
        self.patch(nose, outline, DARK, MATT)
        left, right = outline[0][0], outline[1][0]
        if style == "bars":
            for t in (0.6, 0.74):
                self.patch(nose, [(left, t), (right, t)], CHROME, width=0.03)
        elif style == "pillars":
            for s in np.linspace(left, right, 7)[1:-1]:
                self.patch(nose, [(float(s), 0.32), (float(s), 0.9)], CHROME, width=0.035)
        self.patch(nose, [(0.07 * x, 0.72 + 0.12 * y) for x, y in CIRCLE], CHROME)

    def _plate(self, ends: tuple[Flat, Flat], middle: float, low: float, tall: float) -> None:
        half = 0.22 / self.model.half_width(*ends[0])
        self.patch(ends, rectangle(middle - half, middle + half, low, low + tall), self.vehicle.plate)
        line = [(middle - 0.7 * half, low + tall / 2), (middle + 0.7 * half, low + tall / 2)]
        self.patch(ends, line, GLINT, width=0.05)

    def _windscreen(self) -> None:
        vehicle = self.vehicle
        glass = self.strip("cowl", "head", vehicle.body)
        self.patch(glass, rectangle(-0.93, 0.93, 0.05, 0.95), PANE, GLASS)
        for s in (-0.45, 0.45):  # head rests
            self.patch(glass, rectangle(s - 0.14, s + 0.14, 0.22, 0.62), vehicle.seats, MATT)
        self.patch(glass, rectangle(-0.9, 0.9, 0.05, 0.12), DARK, MATT)
        if vehicle.ornament:
            self._mark(glass, vehicle.ornament)
        for sticker in vehicle.stickers:
            self._mark(glass, sticker)
        if vehicle.key % 5 == 0:
            self.patch(glass, rectangle(-0.9, 0.9, 0.84, 0.95), (44, 84, 110))
        if self.heavy:  # a sign above the windscreen
            self.patch(glass, rectangle(-0.5, 0.5, 0.84, 0.98), DARK, MATT)
            self.patch(glass, [(-0.4, 0.91), (0.1 + 0.3 * (vehicle.key % 2), 0.91)], AMBER, MATT, 0.1)
        for s in (-0.4, 0.25):
            self.patch(glass, [(s, 0.06), (s + 0.45, 0.13)], DARK, MATT, 0.03)

    def _mark(self, ends: tuple[Flat, Flat], mark: Mark) -> None:
        """Add a mark to a strip across the vehicle."""
        s = -0.92 + 1.84 * mark.x
        half = min(mark.width, 0.93 - s, s + 0.93)
        if half > 0.02:
            self.patch(ends, rectangle(s - half, s + half, mark.z, min(0.95, mark.z + mark.height)), mark.colour, MATT)

    def top(self) -> None:
        """Add the roof."""
        vehicle = self.vehicle
        front = self.strip("head", "crown", vehicle.top)
        if vehicle.sunroof == "small":
            self.patch(front, rectangle(-0.5, 0.5, 0.35, 0.98), PANE, GLASS)
        rear = self.strip("crown", "tail", vehicle.top)
        if vehicle.sunroof == "glass":
            self.patch(front, rectangle(-0.78, 0.78, 0.25, 1.0), PANE, GLASS)
            self.patch(rear, rectangle(-0.78, 0.78, 0.0, 0.7), PANE, GLASS)
        if vehicle.kind == "bus":
            for t in (0.2, 0.62):
                self.patch(rear, rectangle(-0.5, 0.5, t, t + 0.2), shaded(vehicle.top, 0.8), MATT)

    def rear(self) -> None:
        """Add rear window, boot, lamps, number plate and bumper."""
        vehicle, model = self.vehicle, self.model
        glass = self.strip("tail", "deck", vehicle.body)
        if vehicle.kind != "truck":
            # The strip runs downwards here: t is 0 at the roof.
            self.patch(glass, rectangle(-0.88, 0.88, 0.1, 0.9), PANE, GLASS)
            for mark in vehicle.rear_stickers:
                self._mark(glass, Mark(1, mark.x, 0.9 - 0.6 * mark.z, mark.width, mark.height, mark.colour))
            if vehicle.wiper:
                self.patch(glass, [(0.0, 0.86), (0.4, 0.66)], DARK, MATT, 0.035)
        self.strip("deck", "rump", vehicle.bonnet)
        if vehicle.kind == "pickup" and vehicle.cargo != "cover":
            bed = model.corner("deck"), model.corner("rump")
            self.patch(bed, rectangle(-0.86, 0.86, 0.04, 0.95), DARK, MATT)
        ends = self.strip("bumper rear", "rump", vehicle.body)
        if vehicle.kind == "truck":
            return
        self.patch(ends, [(-0.7, 0.2), (0.7, 0.2)], shaded(vehicle.body, 0.75), width=0.03)
        self.patch_pair(ends, TAIL_LAMPS[model.tail_lamp], RED, TAIL_LAMP)
        self._plate(ends, vehicle.plate_shift, 0.3 if model.number % 2 else 0.02, 0.28)
        if vehicle.chrome:
            self.patch(ends, [(-0.34, 0.66), (0.34, 0.66)], CHROME, width=0.05)
        bumper = self.strip("sill rear", "bumper rear", self.plastic)
        self.patch_pair(bumper, rectangle(0.72, 0.94, 0.55, 0.75), RED, TAIL_LAMP)
        for side in (1, -1)[: vehicle.exhausts]:
            self.patch(bumper, rectangle(side * 0.55 - 0.08, side * 0.55 + 0.08, 0.02, 0.2), CHROME, MATT)

    def side(self, side: int) -> None:
        """Add one side: sheet, windows, doors, wheels, and what is painted or stuck on it."""
        model, build = self.model, self.build
        low, high = model.corner("nose"), model.corner("cowl")
        crease = (low[0] + 0.45 * (high[0] - low[0]), low[1] + 0.55 * (high[1] - low[1]) + 0.01)
        foot = model.corner("sill rear")[1]
        end = model.corner("sill rear")[0]
        outline = [*model.outline[:3], crease, *model.outline[3:], (0.9 * end, foot), (0.14 * model.length, foot)]
        build.face(build.along(side, outline), self.vehicle.body, last=True)
        if self.vehicle.top != self.vehicle.body:
            rim = [model.corner(edge) for edge in ("head", "crown", "tail")]
            build.patch(build.along(side, [*rim, *((x, z - 0.11) for x, z in rim[::-1])]), self.vehicle.top)
        if self.vehicle.cladding:
            band = rectangle(0.02 * end, 0.98 * end, foot, foot + 0.09 * model.height)
            build.patch(build.along(side, band), TRIM, MATT)
        self._livery(side, end)
        self._windows(side)
        self._doors(side, foot)
        self._corner_lamps(side)
        for axle in model.axles:
            self._wheel(side, axle)

    def _livery(self, side: int, end: float) -> None:
        """Add stripes, sign and marks, under windows and doors' lines."""
        vehicle, build, belt = self.vehicle, self.build, self._belt()
        foot = self.model.corner("sill rear")[1]
        bands = {"low": (0.16, 0.36), "high": (0.62, 0.8), "none": ()}.get(vehicle.stripe, (0.3, 0.4))
        for start in bands[:1] if vehicle.stripe != "double" else (0.3, 0.56):
            z0, z1 = (foot + share * (belt - foot) for share in (start, start + bands[1] - bands[0]))
            for x0, x1 in ((0.03, 0.3), (0.3, 0.7), (0.7, 0.97)):
                build.patch(build.along(side, rectangle(x0 * end, x1 * end, z0, z1)), vehicle.accent)
        emblem = vehicle.emblem
        if emblem and emblem.side in (0, 1 + (side < 0)):  # on both sides, or on one
            x, z = emblem.x * end, foot + emblem.z * (belt - foot)
            half, tall = emblem.width * emblem.height, emblem.height * 0.5 * (1.5 if self.heavy else 1)
            if vehicle.key % 3 == 0:
                build.patch(build.along(side, [(x + half * a, z + tall * b) for a, b in CIRCLE]), emblem.colour)
            else:
                build.patch(build.along(side, rectangle(x - half, x + half, z - tall, z + tall)), emblem.colour)
            build.patch(build.along(side, [(x - 0.7 * half, z), (x + 0.7 * half, z)]), vehicle.body, PAINT, 0.06)
        for dent in vehicle.dents:
            if dent.side == side:
                x, z = dent.x * end, foot + dent.z * (belt - foot)
                spots = [(x, z), (x + dent.width, z + 0.3 * dent.height), (x + 0.8 * dent.width, z + dent.height),
                         (x + 0.1 * dent.width, z + 0.6 * dent.height)]  # fmt: skip
                build.patch(build.along(side, [(min(a, 0.97 * end), b) for a, b in spots]), dent.colour, MATT)

    def _belt(self) -> float:
        """Return the height of the lower edge of the side windows."""
        model = self.model
        if self.vehicle.kind == "bus":
            return 0.46 * model.height
        return max(model.corner("cowl")[1], model.corner("deck")[1]) + 0.01 * model.height

    def _windows(self, side: int) -> None:
        """Add the row of side windows, narrower at the top, divided at the model's pillars."""
        model, vehicle, build = self.model, self.vehicle, self.build
        low, high = self._belt() + 0.02, model.corner("head")[1] - 0.045 * model.height

        def edge(foot: str, head: str, z: float) -> float:
            a, b = sorted((model.corner(foot), model.corner(head)), key=lambda corner: corner[1])
            return float(np.interp(z, (a[1], b[1]), (a[0], b[0])))

        front = [edge("cowl", "head", z) + 0.09 for z in (low, high)]
        rear = [edge("deck", "tail", z) - 0.09 for z in (low, high)]
        if vehicle.kind == "bus":
            front = [0.14 * model.length] * 2
        tint = shaded(PANE, 1.25 - 0.75 * vehicle.tint)
        cuts = [*model.panes, model.length]
        first = -1.0
        for number, cut in enumerate(cuts):
            gap = 0.04 if cut < model.length else 0.0
            pane = [(min(max(front[0], first), rear[0]), low), (min(max(front[1], first), rear[1]), high),
                    (min(rear[1], cut - gap), high), (min(rear[0], cut - gap), low)]  # fmt: skip
            first = cut + 0.04
            if pane[2][0] - pane[1][0] < 0.02 and pane[3][0] - pane[0][0] < 0.08:
                continue
            if vehicle.kind == "van" and number and vehicle.key % 4 == 0:  # a delivery van has windows in front only
                continue
            # The driver's door is not tinted.
            colour = tint if number or vehicle.kind == "bus" else shaded(PANE, 1.25)
            build.patch(build.along(side, pane), colour, GLASS)
            if vehicle.chrome:
                build.patch(build.along(side, [pane[0], pane[3]]), CHROME, PAINT, 0.03)

    def _doors(self, side: int, foot: float) -> None:
        """Add the joints of the doors and their handles."""
        model, vehicle, build, belt = self.model, self.vehicle, self.build, self._belt()
        joint = shaded(vehicle.body, 0.62)
        if vehicle.kind == "bus":
            if side < 0:  # doors are on the right
                for x in (0.05, 0.45):
                    door = rectangle(x * model.length, (x + 0.085) * model.length, foot + 0.05, 0.86 * model.height)
                    build.patch(build.along(side, door), PANE, GLASS)
                    middle = (x + 0.0425) * model.length
                    build.patch(build.along(side, [(middle, foot), (middle, belt + 0.9)]), joint, PAINT, 0.05)
            return
        ends = [model.axles[0] + 1.25 * model.wheel, *model.panes[:2]]
        for x in ends:
            build.patch(build.along(side, [(x, foot + 0.05), (x, belt)]), joint, PAINT, 0.025)
        for x in ends[1:] or [0.28 * model.length]:
            colour = CHROME if vehicle.chrome else joint
            build.patch(build.along(side, [(x - 0.26, model.handle), (x - 0.08, model.handle)]), colour, PAINT, 0.04)
        if vehicle.kind == "van" and len(ends) > 2:  # the rail of the sliding door
            rail = [(ends[2], model.handle - 0.08), (0.93 * model.length, model.handle - 0.08)]
            build.patch(build.along(side, rail), joint, PAINT, 0.04)

    def _corner_lamps(self, side: int) -> None:
        """Add the lamps where they reach around the corners."""
        model, build = self.model, self.build
        low, high = model.corner("bumper front"), model.corner("nose")
        z0, z1 = (low[1] + share * (high[1] - low[1]) for share in (0.5, 0.92))
        build.patch(build.along(side, rectangle(0.012 * model.length, 0.05 * model.length, z0, z1)), LAMP, HEADLAMP)
        if self.vehicle.kind == "truck":
            return
        low, high = model.corner("bumper rear"), model.corner("rump")
        z0, z1 = (low[1] + share * (high[1] - low[1]) for share in (0.5, 0.95))
        build.patch(build.along(side, rectangle(0.955 * model.length, 0.985 * model.length, z0, z1)), RED, TAIL_LAMP)

    def _wheel(self, side: int, axle: float) -> None:
        model, vehicle = self.model, self.vehicle
        radius = model.wheel

        def disc(size: float, colour: Colour, out: float) -> None:
            wide = side * (model.half_width(axle, radius) + out)
            spots: list[Spot] = [(axle + size * a, wide, radius + size * b) for a, b in CIRCLE]
            self.build.patch(spots, colour, MATT)

        disc(1.22 * radius, DARK, 0.0)
        disc(radius, TYRE, 0.01)
        rim = (52, 53, 56) if vehicle.rim == "dark" else vehicle.rim_colour
        disc((0.5 if vehicle.rim == "steel" else 0.66) * radius, rim, 0.02)
        if vehicle.rim in ("five", "ten", "two-tone"):
            spokes = {"five": 5, "ten": 8, "two-tone": 3}[vehicle.rim]
            wide = side * (model.half_width(axle, radius) + 0.02)
            for i in range(spokes):
                turn = 2 * math.pi * (i + 0.25) / spokes
                gap = [(axle + 0.6 * radius * math.cos(turn + d), wide, radius + 0.6 * radius * math.sin(turn + d))
                       for d in (-0.25, 0.25)]  # fmt: skip
                self.build.patch([(axle, wide, radius), *gap], DARK, MATT)
        elif vehicle.rim != "cover":
            disc(0.16 * radius, DARK, 0.02)

    def mirror(self, side: int) -> None:
        """Add a door mirror; the far one is painted before the body hides it."""
        model = self.model
        x, z = model.corner("cowl")[0] + 0.28, self._belt() + 0.06
        if self.heavy:
            x, z = model.corner("head")[0] + 0.1, 0.72 * model.height
        wide = model.half_width(x, z)
        size = (0.1, 0.34) if self.heavy else (0.2, 0.13)
        spots = [(x, side * y, h) for y, h in rectangle(wide + 0.03, wide + 0.03 + size[0], z, z + size[1])]
        colour = DARK if self.heavy or self.vehicle.key % 3 == 0 else self.vehicle.body
        self.build.face(spots, colour, layer=UNDER, two_sided=True)
        outer: list[Spot] = [(x - 0.08, side * (wide + 0.2), z), (x + 0.1, side * (wide + 0.2), z),
                             (x + 0.1, side * (wide + 0.16), z + size[1]),
                             (x - 0.08, side * (wide + 0.16), z + size[1])]  # fmt: skip
        self.build.face(outer, colour, layer=GEAR, part=9, inside=(x, 0.0, z))
        if self.vehicle.kind != "truck":
            self.build.patch(spots, colour)

    def cargo(self) -> None:
        """Add what a truck or a pickup carries behind the cab."""
        model, vehicle = self.model, self.vehicle
        if vehicle.kind == "pickup":
            self._pickup_load()
        if vehicle.kind != "truck":
            return
        x, wide, floor = (0.335 * model.length, model.length), model.width / 2 * 1.06, 0.34 * model.height
        tall = {"box": 1.16, "cover": 1.02, "stakes": 0.82, "load": 0.56}[vehicle.cargo] * model.height
        rail = [(a, 0.0, b) for a, b in rectangle(*x, 0.42 * floor, floor)]
        self.build.face(rail, DARK, MATT, layer=UNDER, two_sided=True)
        hub = (sum(x) / 2, 0.0, (floor + tall) / 2)
        lid = shaded(vehicle.cargo_colour, 0.5) if vehicle.cargo in ("stakes", "load") else vehicle.cargo_colour
        self.build.face([(a, b, tall) for a, b in rectangle(*x, -wide, wide)], lid, part=2, inside=hub)
        self.build.face([(x[0], y, z) for y, z in rectangle(-wide, wide, floor, tall)], vehicle.cargo_colour, part=2,
                        inside=hub)  # fmt: skip
        self._tailboard(x[1], wide, floor, tall, hub)
        for side in (-1, 1):
            board = [(a, side * wide, b) for a, b in rectangle(*x, floor, tall)]
            self.build.face(board, vehicle.cargo_colour, part=2, inside=hub)
            self._boards(side, x, side * wide, (floor, tall))
            self._wheel(side, model.axles[1])
        if vehicle.cargo == "load":
            colour = shaded(vehicle.accent, 0.9)
            self.build.box((x[0] + 0.3, x[1] - 0.5), (-0.7 * wide, 0.7 * wide), (tall, tall + 0.6), colour,
                           layer=BODY, part=3)  # fmt: skip

    def _tailboard(self, x: float, wide: float, floor: float, tall: float, hub: Spot) -> None:
        vehicle, build = self.vehicle, self.build
        board: list[Spot] = [(x, y, z) for y, z in rectangle(-wide, wide, floor, tall)]
        build.face(board, vehicle.cargo_colour, part=2, inside=hub)
        joint = shaded(vehicle.cargo_colour, 0.7)
        build.patch([(x, 0.0, floor), (x, 0.0, tall)], joint, MATT, 0.05)
        for mark in vehicle.rear_stickers:
            y, z = (mark.x - 0.5) * 1.7 * wide, floor + mark.z * 0.8 * (tall - floor)
            spots = [(x, a, b) for a, b in rectangle(y - 0.2, y + 0.2, z, min(tall, z + 1.6 * mark.height))]
            build.patch(spots, mark.colour, MATT)
        low = 0.62 * floor
        build.face([(x, y, z) for y, z in rectangle(-wide, wide, low, floor)], DARK, MATT, part=2, inside=hub)
        for y in (-0.86 * wide, 0.66 * wide):
            build.patch([(x, a, b) for a, b in rectangle(y, y + 0.2 * wide, low, floor)], RED, TAIL_LAMP)
        build.patch([(x, a, b) for a, b in rectangle(-0.22, 0.22, low, 0.9 * floor)], vehicle.plate)

    def _boards(self, side: int, x: Flat, wide: float, z: Flat) -> None:
        """Add posts of a stake truck, folds of a cover, lettering and stripe of a box."""
        vehicle, build = self.vehicle, self.build
        joint = shaded(vehicle.cargo_colour, 0.72)
        for share in np.linspace(0, 1, 9 if vehicle.cargo in ("stakes", "cover") else 4)[1:-1]:
            post = x[0] + float(share) * (x[1] - x[0])
            build.patch([(post, wide, z[0]), (post, wide, z[1])], joint, MATT, 0.06)
        tall = z[1] - z[0]
        if vehicle.stripe != "none":
            share = {"low": 0.1, "high": 0.7}.get(vehicle.stripe, 0.4)
            low, high = z[0] + share * tall, z[0] + (share + 0.18) * tall
            build.patch([(a, wide, b) for a, b in rectangle(*x, low, high)], vehicle.accent)
        emblem = vehicle.emblem
        if emblem and emblem.side in (0, 1 + (side < 0)) and vehicle.cargo in ("box", "cover"):
            middle, height = x[0] + emblem.x * (x[1] - x[0]), z[0] + 0.55 * tall
            half, up = 0.55 * emblem.width, 0.6 * emblem.height
            spots = [(a, wide, b) for a, b in rectangle(middle - half, middle + half, height - up, height + up)]
            build.patch(spots, emblem.colour)

    def _pickup_load(self) -> None:
        model, vehicle = self.model, self.vehicle
        start, end, top = model.corner("deck")[0] + 0.1, model.corner("rump")[0] - 0.1, model.corner("rump")[1]
        wide = 0.82 * model.half_width((start + end) / 2, top)
        if vehicle.cargo == "load":
            colour = shaded(vehicle.cargo_colour, 0.9)
            self.build.box((start + 0.1, end - 0.2), (-0.8 * wide, 0.8 * wide), (top, top + 0.4), colour, MATT,
                           layer=BODY, part=3)  # fmt: skip
        elif vehicle.key % 2:
            for x in (start, start + 0.12):
                frame = [(x, y, z) for y, z in ((-wide, top), (-wide, top + 0.45), (wide, top + 0.45), (wide, top))]
                self.build.face(frame, TRIM, MATT, part=3, two_sided=True)

    def roof_gear(self) -> None:
        """Add rails, boxes, a taxi's sign and a spoiler."""
        model, vehicle, build = self.model, self.vehicle, self.build
        (front, low), (rear, high) = model.corner("head"), model.corner("tail")
        wide, roof = 0.86 * model.half_width((front + rear) / 2, model.height), model.height
        front, rear = front + 0.1, rear - 0.1
        middle = (front + rear) / 2
        if vehicle.rack != "none":
            for y in (-wide, wide):
                rail: list[Spot] = [(front, y, low + 0.07), (middle, y, roof + 0.07), (rear, y, high + 0.07)]
                metal = CHROME if vehicle.key % 2 else DARK
                build.face([*rail, *[(x, a, z - 0.05) for x, a, z in rail[::-1]]], metal, layer=GEAR, part=8,
                           two_sided=True)  # fmt: skip
        if vehicle.rack in ("bars", "box", "load"):
            for x in (middle - 0.4, middle + 0.45):
                build.box((x, x + 0.07), (-wide, wide), (roof + 0.04, roof + 0.09), DARK, MATT)
        if vehicle.rack == "box":
            build.box((middle - 0.6, middle + 0.6), (-0.3 * wide, 0.8 * wide), (roof + 0.09, roof + 0.36), (54, 56, 60))
        elif vehicle.rack == "load":
            build.box((middle - 0.5, middle + 0.6), (-0.7 * wide, 0.7 * wide), (roof + 0.09, roof + 0.32),
                      vehicle.cargo_colour, MATT)  # fmt: skip
        if vehicle.sign:
            build.box((middle - 0.12, middle + 0.1), (-0.32, 0.32), (roof, roof + 0.17), vehicle.accent)
        if vehicle.spoiler:
            x, z = model.corner("rump" if vehicle.kind == "sedan" else "tail")
            wide = 0.85 * model.half_width(x, z)
            colour = shaded(vehicle.body, 0.8)
            build.box((x - 0.14, x + 0.1), (-wide, wide), (z + 0.02, z + 0.09), colour, layer=BODY, part=4)
