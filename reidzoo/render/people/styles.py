"""The styles of the twins of people: who walks there, what they wear, and through which cameras they are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reidzoo.render.camera import CameraSpread
from reidzoo.render.people.person import NAMED_COLOURS, Wardrobe

__all__ = ["STYLES", "Style"]


@dataclass(frozen=True)
class Style:
    """The settings in which one twin of people differs from another.

    Attributes:
        name: the dataset, as its reader is registered.
        wardrobe: the people's clothes.
        cameras: how the cameras differ.
        height: smallest and largest height of an image, pixels.
        aspect: smallest and largest width of an image, as a share of its height.
        jitter: error of the person detector, share of the box.
        occluded: share of the photographs in which something stands before the person.
        company: share of the photographs in which somebody else walks behind.
    """

    name: str
    wardrobe: Wardrobe
    cameras: CameraSpread
    height: tuple[int, int] = (128, 128)
    aspect: tuple[float, float] = (0.5, 0.5)
    jitter: float = 0.045
    occluded: float = 0.12
    company: float = 0.12


MARKET = Style(
    name="Market1501",
    wardrobe=Wardrobe(
        upper={"white": 16, "black": 11, "grey": 9, "red": 8, "blue": 8, "navy": 6, "sky": 7, "yellow": 5, "pink": 7,
               "green": 5, "purple": 4, "cream": 5, "orange": 4, "magenta": 3, "teal": 3, "lime": 2, "charcoal": 5},
        lower={"black": 18, "denim": 16, "sky": 6, "navy": 9, "grey": 9, "khaki": 8, "white": 6, "charcoal": 8,
               "beige": 4, "red": 2, "pink": 2, "olive": 3, "brown": 3},
        pattern={"plain": 58, "stripes": 13, "checks": 7, "logo": 16, "block": 5, "raglan": 5, "band": 5, "spots": 3},
        sleeve={"none": 8, "short": 62, "elbow": 10, "long": 20},
        bottom={"trousers": 44, "cropped": 8, "shorts": 28, "skirt": 10, "dress": 8, "long skirt": 2},
        hem={"tucked": 1, "waist": 4, "hip": 5, "thigh": 2},
        bag={"none": 45, "backpack": 27, "satchel": 14, "handbag": 14},
        hat={"none": 90, "cap": 9, "beanie": 1},
        skin=(3, 6, 4, 1, 0.1, 0.1), hair=(8, 5, 2, 0.6, 0.2, 0.5, 0.3), open_jacket=0.3,
    ),
    cameras=CameraSpread(
        kinds=("campus",), response=(1.0, 1.02, 0.98), saturation=(0.65, 0.95), elevation=(0.12, 0.3),
        resolution=(0.36, 0.72), noise=(2.0, 5.0),
    ),
    jitter=0.055,
)  # fmt: skip

MSMT17 = Style(
    name="MSMT17",
    wardrobe=Wardrobe(
        upper={"black": 22, "navy": 10, "charcoal": 11, "grey": 9, "white": 8, "brown": 6, "burgundy": 5, "red": 5,
               "beige": 5, "olive": 5, "blue": 5, "khaki": 4, "purple": 2, "pink": 3, "green": 3, "mustard": 2,
               "sky": 3},
        lower={"black": 26, "denim": 18, "navy": 12, "charcoal": 12, "grey": 8, "brown": 4, "khaki": 5, "olive": 3,
               "burgundy": 2},
        pattern={"plain": 68, "stripes": 8, "checks": 8, "logo": 9, "block": 7, "raglan": 4, "band": 5, "sides": 3},
        sleeve={"none": 1, "short": 22, "elbow": 5, "long": 72},
        bottom={"trousers": 78, "cropped": 5, "shorts": 7, "skirt": 5, "dress": 3, "long skirt": 2},
        hem={"waist": 3, "hip": 5, "thigh": 3, "coat": 3},
        bag={"none": 42, "backpack": 30, "satchel": 14, "handbag": 14},
        hat={"none": 91, "cap": 5, "beanie": 4},
        skin=(3, 6, 3, 1, 0.2, 0.2), hair=(8, 5, 2, 0.6, 0.3, 0.5, 0.2), open_jacket=0.35,
    ),
    cameras=CameraSpread(
        kinds=("street", "street", "indoor"), gain=0.1, exposure=0.2, response=(0.98, 0.98, 1.04),
        saturation=(0.65, 0.95), elevation=(0.06, 0.26), resolution=(0.36, 0.85), noise=(2.0, 6.0), quality=(75, 92),
    ),
    height=(128, 176), aspect=(0.4, 0.52), jitter=0.055, occluded=0.18,
)  # fmt: skip

RANDPERSON = Style(
    name="RandPerson",
    wardrobe=Wardrobe(
        pattern={"plain": 25, "stripes": 12, "pinstripes": 8, "checks": 12, "logo": 12, "block": 7, "raglan": 5,
                 "band": 5, "sides": 6, "spots": 8},
        sleeve={"none": 15, "short": 40, "elbow": 10, "long": 35},
        bottom={"trousers": 50, "cropped": 10, "shorts": 18, "skirt": 10, "dress": 6, "long skirt": 6},
        hem={"tucked": 2, "waist": 4, "hip": 4, "thigh": 1, "coat": 1},
        bag={"none": 70, "backpack": 16, "satchel": 7, "handbag": 7},
        hat={"none": 82, "cap": 12, "beanie": 6},
        upper=dict.fromkeys(NAMED_COLOURS, 1.0), lower=dict.fromkeys(NAMED_COLOURS, 1.0), skin=(2, 2, 2, 2, 2, 2),
        hair=(2, 2, 2, 2, 2, 1, 2), vivid=0.7, open_jacket=0.2,
    ),
    cameras=CameraSpread(
        kinds=("game",), gain=0.05, exposure=0.12, gamma=0.08, saturation=(1.0, 1.15), contrast=(0.95, 1.1),
        haze=(0.0, 0.0), elevation=(0.05, 0.35), resolution=(1.0, 1.3), blur=(0.0, 0.0), noise=(0.0, 0.0),
        quality=(85, 95), shading=0.45,
    ),
    jitter=0.025, occluded=0.05, company=0.08,
)  # fmt: skip

CUHK03 = Style(
    name="CUHK03NP",
    wardrobe=Wardrobe(
        upper={"white": 16, "black": 16, "grey": 12, "navy": 8, "blue": 7, "red": 6, "sky": 6, "purple": 5,
               "green": 4, "lilac": 4, "pink": 5, "charcoal": 7, "cream": 3, "burgundy": 3},
        lower={"black": 24, "denim": 20, "navy": 10, "charcoal": 10, "grey": 8, "khaki": 6, "sky": 4, "white": 3,
               "beige": 3},
        pattern={"plain": 50, "stripes": 12, "checks": 11, "logo": 16, "raglan": 4, "band": 4, "block": 3},
        sleeve={"none": 4, "short": 50, "elbow": 8, "long": 38},
        bottom={"trousers": 62, "cropped": 6, "shorts": 18, "skirt": 8, "dress": 5, "long skirt": 1},
        hem={"tucked": 1, "waist": 4, "hip": 5, "thigh": 1},
        bag={"none": 34, "backpack": 38, "satchel": 18, "handbag": 10},
        hat={"none": 96, "cap": 4},
        skin=(2, 6, 4, 1, 0.1, 0.1), hair=(8, 5, 2, 0.6, 0.2, 0.4, 0.4), open_jacket=0.25,
    ),
    cameras=CameraSpread(
        kinds=("corridor",), response=(1.05, 1.0, 0.92), saturation=(0.65, 0.85), contrast=(0.75, 0.95),
        haze=(0.03, 0.1), elevation=(0.2, 0.38), resolution=(0.5, 0.8), noise=(3.0, 6.0),
    ),
    height=(120, 180), aspect=(0.36, 0.5), jitter=0.045,
)  # fmt: skip

DUKE = Style(
    name="DukeMTMC",
    wardrobe=Wardrobe(
        upper={"black": 20, "charcoal": 12, "grey": 12, "navy": 14, "white": 6, "blue": 9, "red": 6, "green": 4,
               "brown": 5, "burgundy": 4, "olive": 4, "purple": 2, "sky": 3, "orange": 2, "teal": 2},
        lower={"black": 24, "denim": 30, "navy": 12, "charcoal": 10, "grey": 8, "khaki": 9, "brown": 4, "sky": 3},
        pattern={"plain": 60, "stripes": 6, "checks": 8, "logo": 8, "block": 8, "raglan": 4, "band": 4, "sides": 2},
        sleeve={"none": 1, "short": 14, "elbow": 3, "long": 82},
        bottom={"trousers": 84, "cropped": 3, "shorts": 8, "skirt": 3, "dress": 1, "long skirt": 1},
        hem={"waist": 4, "hip": 5, "thigh": 3, "coat": 2},
        bag={"none": 34, "backpack": 46, "satchel": 12, "handbag": 8},
        hat={"none": 84, "cap": 8, "beanie": 8},
        skin=(5, 4, 2, 1, 1.5, 1.5), hair=(4, 4, 3, 2, 1.5, 0.7, 0.5), open_jacket=0.3,
    ),
    cameras=CameraSpread(
        kinds=("plaza",), response=(0.96, 1.0, 1.05), saturation=(0.7, 0.9), contrast=(0.9, 1.15), haze=(0.0, 0.05),
        elevation=(0.08, 0.24), resolution=(0.6, 1.0), noise=(1.0, 3.5), quality=(80, 93),
    ),
    height=(136, 180), aspect=(0.38, 0.5), occluded=0.16,
)  # fmt: skip

VIPER = Style(
    name="VIPeR",
    wardrobe=Wardrobe(
        upper={"black": 18, "white": 14, "grey": 12, "navy": 9, "blue": 8, "red": 8, "sky": 5, "green": 6, "pink": 4,
               "brown": 4, "yellow": 3, "orange": 3, "purple": 3, "cream": 4, "charcoal": 6, "teal": 2},
        lower={"denim": 30, "black": 16, "navy": 8, "khaki": 10, "grey": 8, "charcoal": 6, "beige": 5, "white": 4,
               "sky": 5, "brown": 4, "olive": 3},
        pattern={"plain": 60, "stripes": 8, "checks": 6, "logo": 14, "block": 5, "raglan": 4, "band": 4},
        sleeve={"none": 8, "short": 54, "elbow": 8, "long": 30},
        bottom={"trousers": 58, "cropped": 8, "shorts": 20, "skirt": 9, "dress": 4, "long skirt": 1},
        hem={"waist": 4, "hip": 5, "thigh": 1},
        bag={"none": 40, "backpack": 42, "satchel": 12, "handbag": 6},
        hat={"none": 90, "cap": 9, "beanie": 1},
        skin=(5, 4, 2, 1, 1, 0.5), hair=(5, 4, 3, 2, 1, 0.5, 0.4), open_jacket=0.2,
    ),
    cameras=CameraSpread(
        kinds=("campus", "street"), saturation=(0.7, 1.0), elevation=(0.05, 0.2), resolution=(0.4, 0.8),
        noise=(2.0, 5.0),
    ),
    aspect=(0.375, 0.375),
)  # fmt: skip

CUHK03_CLASSIC = replace(CUHK03, name="CUHK03")
"""The same world as CUHK03-NP's, with other people in it: a twin's people come from its name."""

STYLES = {style.name: style for style in (MARKET, MSMT17, RANDPERSON, CUHK03, DUKE, VIPER, CUHK03_CLASSIC)}
