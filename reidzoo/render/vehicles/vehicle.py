"""The identity of a rendered vehicle: model, paint and what its owner did to it, the same in every photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidzoo.render.people.person import Colour, Weights, pick, shaded
from reidzoo.render.vehicles.model import POOL

__all__ = ["COLOURS", "PAINTS", "TRIM", "Fleet", "Mark", "Vehicle", "sample_vehicle"]

Rng = np.random.Generator

PAINTS: dict[str, Colour] = {
    "white": (226, 227, 224), "pearl": (210, 208, 198), "silver": (170, 174, 178), "gray": (112, 115, 120),
    "graphite": (70, 73, 78), "black": (34, 34, 38), "red": (164, 30, 34), "maroon": (96, 26, 34),
    "blue": (38, 72, 146), "sky": (104, 150, 190), "navy": (30, 38, 72), "green": (44, 96, 68),
    "gold": (184, 162, 116), "champagne": (198, 186, 160), "brown": (92, 66, 50), "yellow": (218, 176, 40),
    "orange": (210, 100, 36),
}  # fmt: skip
COLOURS = {
    "white": "white", "pearl": "white", "silver": "gray", "gray": "gray", "graphite": "gray", "black": "black",
    "red": "red", "maroon": "red", "blue": "blue", "sky": "blue", "navy": "blue", "green": "green", "gold": "golden",
    "champagne": "golden", "brown": "brown", "yellow": "yellow", "orange": "orange",
}  # fmt: skip
"""The colour that an annotator would call each paint."""
TRIM: Colour = (46, 47, 50)
LIVERIES: tuple[tuple[str, str], ...] = (("yellow", "blue"), ("silver", "green"), ("orange", "pearl"))
"""Paints of the taxis: body, and bonnet with roof and boot."""
PLATES: Weights = {"blue": 8, "yellow": 1.2, "green": 1.0, "white": 0.6}
PLATE_COLOURS: dict[str, Colour] = {
    "blue": (36, 66, 150), "yellow": (206, 172, 60), "green": (120, 178, 128), "white": (214, 214, 210),
}  # fmt: skip
RIMS: Weights = {"five": 5, "ten": 4, "cover": 3, "steel": 2, "dark": 2, "two-tone": 1.5}
RACKS = {"suv": 0.6, "van": 0.3, "hatchback": 0.14, "sedan": 0.05, "pickup": 0.25}
"""Share of the vehicles of each kind with something on the roof."""
BRIGHT: Weights = {"white": 3, "red": 2, "yellow": 2, "blue": 1.5, "black": 1.5, "green": 1, "orange": 1, "sky": 1}
CARGO: Weights = {"white": 5, "silver": 3, "blue": 2, "green": 1, "red": 1, "brown": 1, "yellow": 1, "graphite": 1}


@dataclass(frozen=True)
class Fleet:
    """The vehicles on the roads of one dataset: relative frequencies.

    Attributes:
        kinds: kinds of vehicles.
        paints: paints of private cars; buses and trucks are painted brightly.
        models: share of each kind's pool of models that is there; fewer models, more look-alikes.
        taxis: share of the sedans and hatchbacks that are taxis.
    """

    kinds: Weights
    paints: Weights
    models: float = 1.0
    taxis: float = 0.1


@dataclass(frozen=True)
class Mark:
    """A sticker, a stain or a dent: where it is (the meaning depends on the panel), its size and colour.

    ``side`` is 1 on the left, -1 on the right; ``x`` and ``z`` are shares of the panel, from its front or
    left, and from its foot.
    """

    side: int
    x: float
    z: float
    width: float
    height: float
    colour: Colour


@dataclass(frozen=True)
class Vehicle:
    """The identity factors of one vehicle; colours are sRGB.

    Attributes:
        key: tells vehicles apart; drives the few details that are drawn when it is painted.
        kind, model: which of the models.
        paint: a key of ``PAINTS``.
        body, top, bonnet: the colour itself, the roof's, and that of bonnet and boot.
        cladding: whether sills and bumpers are bare plastic.
        tint: how dark the side windows are, 0 clear to 1 black.
        chrome: whether the windows are framed.
        rim, rim_colour: the wheels.
        stripe, accent: a band along the sides ("none", "low", "high", "double"), and its colour.
        emblem: lettering or a sign on the doors; None without.
        sunroof: "none", "small" or "glass".
        rack: "none", "rails", "bars", "box" or "load".
        spoiler, sign, wiper, exhausts: what it has: a lip at the rear roof edge, a taxi's sign, a rear wiper, exhausts.
        plate, plate_shift: colour of the number plate, and how far it sits off the middle, share of the half width.
        stickers: papers on the windscreen.
        ornament: what stands on the dashboard; None without.
        rear_stickers: on the rear window or the boot.
        dents: marks on the sides.
        seats: colour of the head rests behind the windscreen.
        cargo: what a truck or pickup carries: "none", "box", "cover", "load" or "stakes".
        cargo_colour: its colour.
    """

    key: int
    kind: str
    model: int
    paint: str
    body: Colour
    top: Colour
    bonnet: Colour
    cladding: bool
    tint: float
    chrome: bool
    rim: str
    rim_colour: Colour
    stripe: str
    accent: Colour
    emblem: Mark | None
    sunroof: str
    rack: str
    spoiler: bool
    sign: bool
    wiper: bool
    exhausts: int
    plate: Colour
    plate_shift: float
    stickers: tuple[Mark, ...]
    ornament: Mark | None
    rear_stickers: tuple[Mark, ...]
    dents: tuple[Mark, ...]
    seats: Colour
    cargo: str
    cargo_colour: Colour


def sample_vehicle(rng: Rng, fleet: Fleet) -> Vehicle:
    """Draw the identity factors of one vehicle."""
    kind = pick(rng, fleet.kinds)
    heavy = kind in ("bus", "truck")
    taxi = kind in ("sedan", "hatchback") and rng.random() < fleet.taxis
    paint, body, top = _paintwork(rng, fleet, kind, taxi)
    accent = _different(rng, body)
    rack = pick(rng, {"rails": 5, "bars": 2, "box": 1.2, "load": 1}) if rng.random() < RACKS.get(kind, 0) else "none"
    return Vehicle(
        key=int(rng.integers(2**31)),
        kind=kind,
        model=int(rng.integers(max(1, round(POOL[kind] * fleet.models)))),
        paint=paint,
        body=body,
        top=top,
        bonnet=top if taxi else body,
        cladding=bool(rng.random() < {"suv": 0.5, "pickup": 0.5, "van": 0.35}.get(kind, 0.12)),
        tint=float(rng.choice([0.15, 0.5, 0.9], p=[0.45, 0.3, 0.25])),
        chrome=bool(rng.random() < 0.3),
        rim="steel" if heavy else pick(rng, RIMS),
        rim_colour=shaded((156, 158, 162), rng.uniform(0.7, 1.2)),
        stripe=pick(rng, {"none": 30, "low": 30, "high": 25, "double": 15} if heavy
                    else {"none": 82, "low": 8, "high": 5, "double": 5}),
        accent=accent,
        emblem=_emblem(rng, accent) if taxi or rng.random() < (0.6 if heavy or kind == "van" else 0.13) else None,
        sunroof="none" if heavy else pick(rng, {"none": 60, "small": 26, "glass": 14}),
        rack="none" if taxi else rack,
        spoiler=bool(not heavy and kind != "pickup" and rng.random() < 0.22),
        sign=taxi,
        wiper=kind not in ("sedan", "pickup", "truck") and bool(rng.random() < 0.7),
        exhausts=int(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2])),
        plate=PLATE_COLOURS["yellow" if heavy else pick(rng, PLATES)],
        plate_shift=float(rng.choice([0.0, 0.0, 0.0, -0.22, 0.22])),
        stickers=_stickers(rng, int(rng.integers(0, 5)), (0.04, 0.96), (0.66, 0.9)),
        ornament=Mark(1, float(rng.uniform(0.15, 0.85)), 0.04, float(rng.uniform(0.12, 0.35)),
                      float(rng.uniform(0.1, 0.24)), _bright(rng)) if rng.random() < 0.4 else None,
        rear_stickers=_stickers(rng, int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.15, 0.1])), (0.05, 0.95), (0.1, 0.8)),
        dents=_dents(rng, body),
        seats=shaded((150, 132, 112) if rng.random() < 0.4 else (70, 70, 74), rng.uniform(0.8, 1.2)),
        cargo=pick(rng, {"box": 55, "stakes": 15, "load": 15, "cover": 15} if kind == "truck"
                   else {"none": 45, "cover": 30, "load": 25}),
        cargo_colour=_cargo_colour(rng),
    )  # fmt: skip


def _paintwork(rng: Rng, fleet: Fleet, kind: str, taxi: bool) -> tuple[str, Colour, Colour]:
    """Return paint, body colour and colour of the top; two taxis of one livery are painted alike."""
    if taxi:
        paint, top = LIVERIES[int(rng.integers(len(LIVERIES)))]
        return paint, PAINTS[paint], PAINTS[top]
    paint = pick(rng, BRIGHT if kind == "bus" else fleet.paints)
    body = shaded(PAINTS[paint], rng.lognormal(0, 0.045))
    black_roof = kind in ("suv", "hatchback") and rng.random() < 0.12
    return paint, body, PAINTS["black"] if black_roof else body


def _bright(rng: Rng) -> Colour:
    return shaded(PAINTS[pick(rng, BRIGHT)], rng.uniform(0.8, 1.1))


def _cargo_colour(rng: Rng) -> Colour:
    return shaded(PAINTS[pick(rng, CARGO)], rng.uniform(0.85, 1.08))


def _different(rng: Rng, body: Colour) -> Colour:
    """Draw a colour that can be told from the body's at a distance."""
    for _ in range(8):
        colour = _bright(rng)
        if sum(abs(a - b) for a, b in zip(colour, body)) > 170:
            return colour
    return (228, 228, 224) if sum(body) < 380 else (40, 40, 44)


def _emblem(rng: Rng, accent: Colour) -> Mark:
    shape = rng.choice([0.5, 0.9, 1.4])
    return Mark(int(rng.integers(3)), float(rng.uniform(0.3, 0.62)), float(rng.uniform(0.35, 0.6)), float(shape),
                float(rng.uniform(0.25, 0.45)), accent)  # fmt: skip


def _stickers(rng: Rng, count: int, across: tuple[float, float], up: tuple[float, float]) -> tuple[Mark, ...]:
    return tuple(
        Mark(1, float(rng.uniform(*across)), float(rng.uniform(*up)), float(rng.uniform(0.07, 0.16)),
             float(rng.uniform(0.1, 0.22)), _bright(rng))
        for _ in range(count)
    )  # fmt: skip


def _dents(rng: Rng, body: Colour) -> tuple[Mark, ...]:
    """Draw dents, scratches and dirt on either side, darker or lighter than the paint."""
    dents = []
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.3, 0.2, 0.15]))):
        tone = shaded(body, rng.choice([0.55, 0.7])) if sum(body) > 200 else (120, 118, 114)
        dents.append(Mark(int(rng.choice([-1, 1])), float(rng.uniform(0.08, 0.95)), float(rng.uniform(0.25, 0.85)),
                          float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.06, 0.2)), tone))  # fmt: skip
    return tuple(dents)
