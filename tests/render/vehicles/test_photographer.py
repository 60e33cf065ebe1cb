from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reidzoo.render.people.layouts import Shot
from reidzoo.render.vehicles.photographer import VehiclePhotographer
from reidzoo.render.vehicles.scene import draw_occluder
from reidzoo.render.vehicles.styles import VEHICLE_STYLES
from reidzoo.render.vehicles.view import CANVAS


def shot(person: int = 2, camera: int = 0, number: int = 0, time: int = 1) -> Shot:
    return Shot((("a.jpg", "detected"),), person, camera, number, time)


@pytest.mark.parametrize("style", VEHICLE_STYLES)
def test_a_photograph_depends_on_its_key_alone(style: str) -> None:
    one, other = VehiclePhotographer(style, 3), VehiclePhotographer(style, 3)
    first = [one.render(shot(person, camera)) for person, camera in ((2, 0), (4, 1), (2, 1))]
    again = [other.render(shot(person, camera)) for person, camera in ((2, 1), (4, 1), (2, 0))][::-1]
    for a, b in zip(first, again):
        assert a[0].tobytes() == b[0].tobytes()


@pytest.mark.parametrize("style", VEHICLE_STYLES)
def test_every_nuisance_varies(style: str) -> None:
    photographer = VehiclePhotographer(style, 0)
    cameras = [photographer.camera(number) for number in range(12)]
    for name in ("exposure", "gamma", "saturation", "contrast", "haze", "elevation", "resolution", "blur", "noise"):
        assert len({getattr(camera, name) for camera in cameras}) == 12, name
    assert np.std([camera.gain for camera in cameras], axis=0).min() > 0.01
    roads = [photographer.road(number) for number in range(12)]
    assert len({road.verge for road in roads}) > 1 and len({road.lanes for road in roads}) > 1
    assert len({road.heading for road in roads}) == 12
    views = [photographer.view(shot(number=number)) for number in range(6)]
    assert len({view.yaw for view in views}) == len({view.distance for view in views}) == 6
    sizes = {photographer.render(shot(number=number))[0].size for number in range(8)}
    assert len(sizes) > 4


def test_the_time_of_day_changes_the_light() -> None:
    photographer = VehiclePhotographer("VeRi776", 0)
    noon, evening = (np.asarray(photographer.render(shot(time=time))[0], float) for time in (1, 2))
    assert noon.shape == evening.shape and np.abs(noon - evening).mean() > 3
    warm = [image[..., 0].mean() / image[..., 2].mean() for image in (noon, evening)]
    assert warm[1] > warm[0]  # the afternoon is redder


def test_a_company_of_vehicles_and_things_before_them_are_drawn() -> None:
    photographer = VehiclePhotographer("VeRi776", 0)
    alone = VehiclePhotographer("VeRi776", 0)
    alone.style = type(alone.style)(**{**vars(alone.style), "company": 0.0, "occluded": 0.0})
    changed = 0
    for number in range(20):
        one, two = (taker.render(shot(number=number))[0] for taker in (photographer, alone))
        changed += one.size != two.size or one.tobytes() != two.tobytes()
    assert 3 <= changed <= 17


def test_occluders_cover_a_part() -> None:
    for key in range(12):
        image = Image.new("RGB", CANVAS, (255, 255, 255))
        draw_occluder(ImageDraw.Draw(image), np.random.default_rng(key))
        covered = (np.asarray(image) != 255).any(-1).mean()
        assert 0 < covered < 0.6
