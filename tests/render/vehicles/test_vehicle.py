from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from reidzoo.render.vehicles.model import EDGES, OUTLINES, POOL, sample_model
from reidzoo.render.vehicles.styles import VEHICLE_STYLES
from reidzoo.render.vehicles.vehicle import COLOURS, PAINTS, sample_vehicle


def fleet(style: str, count: int = 400) -> list:
    return [sample_vehicle(np.random.default_rng([3, key]), VEHICLE_STYLES[style].fleet) for key in range(count)]


@pytest.mark.parametrize("style", VEHICLE_STYLES)
def test_every_identity_factor_varies(style: str) -> None:
    vehicles = fleet(style)
    for name in vars(vehicles[0]):
        values = Counter(repr(getattr(vehicle, name)) for vehicle in vehicles)
        assert len(values) > 1 and values.most_common(1)[0][1] < 0.985 * len(vehicles), name
    assert {vehicle.kind for vehicle in vehicles} == set(OUTLINES)
    assert {COLOURS[vehicle.paint] for vehicle in vehicles} >= {"white", "black", "gray", "red", "blue", "golden"}


@pytest.mark.parametrize("style", VEHICLE_STYLES)
def test_colour_model_and_kind_do_not_tell_vehicles_apart(style: str) -> None:
    vehicles = fleet(style)
    alike = Counter((vehicle.kind, vehicle.model, vehicle.paint) for vehicle in vehicles)
    assert sum(count for count in alike.values() if count > 1) > 0.3 * len(vehicles)
    assert len({repr(vars(vehicle)) for vehicle in vehicles}) == len(vehicles)


def test_taxis_of_one_livery_are_painted_alike() -> None:
    taxis = [vehicle for vehicle in fleet("VeRi776") if vehicle.sign]
    assert len(taxis) > 15
    assert len({(taxi.body, taxi.top) for taxi in taxis}) <= 3 < len({repr(taxi.stickers) for taxi in taxis})
    assert all(taxi.kind in ("sedan", "hatchback") and PAINTS[taxi.paint] == taxi.body for taxi in taxis)


@pytest.mark.parametrize("kind", OUTLINES)
def test_models_are_vehicles_of_their_kind(kind: str) -> None:
    models = [sample_model(np.random.default_rng([1, number]), kind, number) for number in range(POOL[kind])]
    for model in models:
        assert len(model.outline) == len(EDGES)
        assert max(z for _, z in model.outline) == pytest.approx(model.height)
        assert 0 < model.axles[0] < model.axles[1] < model.length
        assert model.half_width(model.length / 3, 0.5) == pytest.approx(model.width / 2)
        assert model.half_width(model.length / 4, model.height) < model.width / 2
        assert model.half_width(0.0, 0.5) < model.width / 2
        assert model.corner("cowl")[1] < model.corner("head")[1] <= model.corner("crown")[1]
    assert len({model.outline for model in models}) == len(models)
