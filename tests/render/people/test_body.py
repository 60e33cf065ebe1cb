from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from reidzoo.render.people.body import CANVAS, Figure, Painter, sample_pose
from reidzoo.render.people.fabric import HEIGHT, PATTERNS, TURN, upper_texture, visible_half
from reidzoo.render.people.person import Person, pick, sample_person
from reidzoo.render.people.styles import STYLES


def someone(number: int, style: str = "Market1501", **changes: object) -> Person:
    person = sample_person(np.random.default_rng(number), STYLES[style].wardrobe)
    return Person(**{**vars(person), **changes})


def paint(person: Person, yaw: float, key: int = 0) -> tuple[np.ndarray, Image.Image]:
    drawing, relief = Image.new("RGB", CANVAS, (150, 150, 150)), Image.new("L", CANVAS)
    Figure(person, sample_pose(np.random.default_rng(key), yaw, 0.2)).paint(Painter(drawing, relief))
    return np.asarray(drawing), relief


@pytest.mark.parametrize("style", STYLES)
def test_people_of_every_style_fit_the_drawing(style: str) -> None:
    for key in range(40):
        _, relief = paint(someone(key, style), key * 0.7, key)
        left, top, right, bottom = relief.getbbox()
        assert top > 0 and bottom < CANVAS[1]
        assert bottom - top > 200 and right - left < CANVAS[0]


def test_a_logo_is_seen_from_the_front_and_a_backpack_from_behind() -> None:
    pink = (255, 0, 255)
    person = someone(1, pattern="logo", accent=pink, upper=(20, 20, 20), bag="none", open_jacket=False, key=12)
    assert (np.abs(paint(person, 0.0)[0].astype(int) - pink).sum(-1) < 30).sum() > 100
    carrier = someone(1, bag="backpack", bag_colour=pink, hem=0.5)
    seen = [(np.abs(paint(carrier, yaw)[0].astype(int) - pink).sum(-1) < 30).sum() for yaw in (0.0, np.pi)]
    assert seen[1] > 4 * seen[0] > 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texture_wraps_around_the_body(pattern: str) -> None:
    texture = upper_texture(someone(5, pattern=pattern))
    assert texture.size == (2 * TURN, HEIGHT)
    for yaw in np.linspace(-7, 7, 9):
        assert visible_half(texture, float(yaw), (40, 50)).size == (40, 50)
    front = np.asarray(visible_half(texture, 0.0, (64, HEIGHT)))
    assert np.array_equal(front, np.asarray(visible_half(texture, 2 * np.pi, (64, HEIGHT))))


def test_pick_follows_the_weights() -> None:
    rng = np.random.default_rng(0)
    drawn = [pick(rng, {"a": 1, "b": 3, "never": 0}) for _ in range(4000)]
    assert drawn.count("never") == 0
    assert abs(drawn.count("b") / 4000 - 0.75) < 0.03
