"""The identity of a rendered person: body, hair, clothes and bag, drawn once and the same in every photograph."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

__all__ = [
    "NAMED_COLOURS",
    "Colour",
    "Person",
    "Wardrobe",
    "Weights",
    "garment_colour",
    "pick",
    "sample_person",
    "shaded",
]

Colour = tuple[int, int, int]
Weights = dict[str, float]

NAMED_COLOURS: dict[str, Colour] = {
    "white": (228, 228, 224), "cream": (222, 208, 178), "silver": (172, 174, 178), "grey": (120, 122, 124),
    "charcoal": (66, 68, 72), "black": (34, 33, 36), "navy": (36, 44, 84), "blue": (46, 84, 168),
    "sky": (134, 178, 216), "denim": (70, 92, 132), "teal": (34, 122, 124), "green": (52, 122, 62),
    "olive": (98, 98, 56), "lime": (158, 192, 72), "yellow": (222, 192, 62), "mustard": (186, 138, 44),
    "orange": (216, 112, 42), "red": (184, 40, 44), "burgundy": (104, 28, 46), "pink": (222, 144, 162),
    "magenta": (186, 58, 122), "purple": (98, 66, 142), "lilac": (172, 152, 202), "brown": (98, 66, 46),
    "khaki": (168, 146, 106), "beige": (198, 178, 146),
}  # fmt: skip
SKIN_TONES: list[Colour] = [
    (242, 208, 184), (230, 190, 160), (214, 168, 134), (184, 134, 100), (140, 96, 68), (92, 62, 46),
]  # fmt: skip
HAIR_COLOURS: list[Colour] = [
    (26, 22, 22), (52, 36, 28), (92, 62, 40), (150, 108, 62), (202, 170, 110), (150, 148, 146), (128, 50, 30),
]  # fmt: skip
SHIRT_COLOURS: Weights = {"white": 3, "grey": 2, "black": 2, "red": 1, "sky": 1, "cream": 1}
SHOE_COLOURS: Weights = {"black": 5, "white": 3, "brown": 2, "grey": 1.5, "red": 0.7, "blue": 0.6}
BAG_COLOURS: Weights = {
    "black": 5, "navy": 2, "grey": 2, "red": 1.4, "brown": 1.6, "blue": 1, "beige": 1, "pink": 0.7, "green": 0.6,
}  # fmt: skip
SLEEVES = {"none": 0.08, "short": 0.45, "elbow": 0.62, "long": 1.0}
BOTTOMS = {"trousers": 1.0, "cropped": 0.85, "shorts": 0.5, "skirt": 0.42, "dress": 0.4, "long skirt": 0.8}
HEMS = {"tucked": 0.535, "waist": 0.5, "hip": 0.465, "thigh": 0.4, "coat": 0.31}
LONG_HAIR: Weights = {"long": 4, "pony": 3, "bob": 2, "bun": 1.5}
SHORT_HAIR: Weights = {"short": 7, "bob": 1, "crop": 2, "bald": 0.7}


@dataclass(frozen=True)
class Wardrobe:
    """The clothes of the people of one dataset: relative frequencies of colours and cuts.

    ``vivid`` is the share of clothes whose colour is drawn evenly over all hues instead of from the named colours.
    """

    upper: Weights
    lower: Weights
    pattern: Weights
    sleeve: Weights
    bottom: Weights
    hem: Weights
    bag: Weights
    hat: Weights
    skin: tuple[float, ...]
    hair: tuple[float, ...]
    vivid: float = 0.0
    open_jacket: float = 0.15


@dataclass(frozen=True)
class Person:
    """The identity factors of one person; lengths are shares of the body height, colours are sRGB.

    ``sleeve`` and ``bottom`` are how far the garment reaches down the arm or the leg: 0 bare, 1 to the wrist or ankle.
    """

    key: int
    height: float
    build: float
    shoulders: float
    waist: float
    skin: Colour
    hair: Colour
    hairstyle: str
    hat: str
    hat_colour: Colour
    pattern: str
    upper: Colour
    accent: Colour
    inner: Colour
    open_jacket: bool
    sleeves: Colour
    sleeve: float
    hem: float
    lower: Colour
    bottom: float
    skirt: float
    leg_width: float
    tights: Colour
    side_stripe: bool
    shoes: Colour
    bag: str
    bag_colour: Colour


def pick(rng: np.random.Generator, weights: Weights) -> str:
    """Draw one key of ``weights`` with the probability its (relative) weight says."""
    cumulative = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))]


def shaded(colour: Colour, factor: float) -> Colour:
    """Brighten (factor > 1) or darken (factor < 1) a colour."""
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


def garment_colour(rng: np.random.Generator, weights: Weights, vivid: float) -> Colour:
    """Draw the colour of a piece of cloth: a named one with the spread that dye and wear give it, or any vivid hue."""
    if rng.random() < vivid:
        hue, saturation, value = rng.random(), rng.uniform(0.35, 1.0), rng.uniform(0.3, 1.0)
    else:
        channels = [channel / 255 for channel in NAMED_COLOURS[pick(rng, weights)]]
        hue, saturation, value = colorsys.rgb_to_hsv(*channels)
        hue += rng.normal(0, 0.018)
        saturation = np.clip(saturation * rng.lognormal(0, 0.18) + rng.normal(0, 0.015), 0, 1)
        value = np.clip(value * rng.lognormal(0, 0.14), 0.09, 0.95)
    red, green, blue = (int(255 * channel) for channel in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


def contrasting(rng: np.random.Generator, colour: Colour, weights: Weights, vivid: float) -> Colour:
    """Draw a second colour that can be told from ``colour`` at a distance."""
    for _ in range(8):
        other = garment_colour(rng, weights, vivid)
        if sum(abs(a - b) for a, b in zip(colour, other)) > 150:
            return other
    return (225, 225, 222) if sum(colour) < 380 else (40, 40, 44)


def sample_person(rng: np.random.Generator, wardrobe: Wardrobe) -> Person:
    """Draw the identity factors of one person."""
    upper = garment_colour(rng, wardrobe.upper, wardrobe.vivid)
    accent = contrasting(rng, upper, wardrobe.upper, wardrobe.vivid)
    lower = garment_colour(rng, wardrobe.lower, wardrobe.vivid)
    pattern = pick(rng, wardrobe.pattern)
    sleeve, bottom = SLEEVES[pick(rng, wardrobe.sleeve)], pick(rng, wardrobe.bottom)
    skirt = bottom in ("skirt", "dress", "long skirt")
    long_hair = skirt or rng.random() < 0.3
    skin = SKIN_TONES[int(rng.choice(len(SKIN_TONES), p=np.divide(wardrobe.skin, sum(wardrobe.skin))))]
    hair = HAIR_COLOURS[int(rng.choice(len(HAIR_COLOURS), p=np.divide(wardrobe.hair, sum(wardrobe.hair))))]
    return Person(
        key=int(rng.integers(2**31)),
        height=float(np.clip(rng.normal(1.0 if not long_hair else 0.95, 0.05), 0.82, 1.14)),
        build=float(np.clip(rng.lognormal(0.0, 0.13), 0.78, 1.4)),
        shoulders=float(rng.normal(0.88 if long_hair else 1.0, 0.05)),
        waist=float(rng.normal(0.82 if long_hair else 0.94, 0.05)),
        skin=shaded(skin, rng.uniform(0.93, 1.05)),
        hair=shaded(hair, rng.uniform(0.75, 1.25)),
        hairstyle=pick(rng, LONG_HAIR if long_hair else SHORT_HAIR),
        hat=pick(rng, wardrobe.hat),
        hat_colour=garment_colour(rng, wardrobe.upper, wardrobe.vivid),
        pattern=pattern,
        upper=upper,
        accent=accent,
        inner=contrasting(rng, upper, SHIRT_COLOURS, 0.0),
        open_jacket=bool(sleeve == 1.0 and rng.random() < wardrobe.open_jacket),
        sleeves=accent if pattern == "raglan" else upper,
        sleeve=sleeve,
        hem=HEMS[pick(rng, wardrobe.hem)],
        lower=upper if bottom == "dress" else lower,
        bottom=BOTTOMS[bottom] + rng.normal(0, 0.03) * (BOTTOMS[bottom] < 0.9),
        skirt=rng.uniform(1.05, 1.75) if skirt else 0.0,
        leg_width=float(np.clip(rng.normal(1.0 if skirt else 1.13, 0.16), 0.85, 1.6)),
        tights=skin if rng.random() < 0.7 else (48, 44, 48),
        side_stripe=bool(rng.random() < 0.1 and not skirt),
        shoes=NAMED_COLOURS[pick(rng, SHOE_COLOURS)],
        bag=pick(rng, wardrobe.bag),
        bag_colour=garment_colour(rng, BAG_COLOURS, wardrobe.vivid),
    )
