"""Plans the photographs of the twins of vehicles, in files and folders named as in the real datasets.

As in ``reidzoo.render.people.layouts``, training identities are even numbers and test identities odd ones, so a larger
``scale`` adds vehicles and leaves those that are there as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reidzoo.render.people.layouts import Layout, Shot, cameras_of
from reidzoo.render.vehicles.model import POOL
from reidzoo.render.vehicles.photographer import VehiclePhotographer
from reidzoo.render.vehicles.vehicle import COLOURS

__all__ = ["TEST_LISTS", "VEHICLE_LAYOUTS", "VERI_COLOURS", "VERI_TYPES"]

VERI_COLOURS = ("yellow", "orange", "green", "gray", "red", "blue", "white", "golden", "brown", "black")
"""VeRi-776 counts its colours and types from 1."""
VERI_TYPES = ("sedan", "suv", "van", "hatchback", "mpv", "pickup", "bus", "truck", "estate")
VEHICLEID_COLOURS = ("black", "white", "gray", "red", "blue", "green", "yellow")
"""VehicleID counts from 0 and labels seven colours; which is which, but for red, is this twin's own."""
TEST_LISTS = {800: 0.2, 1600: 0.4, 2400: 0.6, 3200: 0.8, 6000: 0.9, 13164: 1.0}
"""VehicleID's test lists, and the share of the twin's test vehicles that is in each."""
VEHICLEID_CAMERAS = 12


def plan_veri(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan VeRi-776: 4-6 of 20 cameras per training vehicle, 3-5 per test vehicle; four images under each, one a query.

    The time of day is drawn per passage; the file names do not tell it.
    """
    for index in range(train + test):
        vehicle = 2 * (index + 1) if index < train else 2 * (index - train) + 1
        for camera in cameras_of(seed, 11, vehicle, 20, *((4, 6) if index < train else (3, 5))):
            rng = np.random.default_rng([seed, 11, 5, vehicle, camera])
            first, time = int(rng.integers(2_000, 90_000)), int(rng.integers(3))
            for number in range(4):
                folder = "image_train" if index < train else "image_test" if number else "image_query"
                name = f"{folder}/{vehicle:04d}_c{camera + 1:03d}_{first + 5 * number:08d}_{number}.jpg"
                yield Shot(((name, "detected"),), vehicle, camera, number, time)


def veri_lists(shots: list[Shot]) -> dict[str, str]:
    """Return the lists of the names of each split."""
    lists: dict[str, list[str]] = {part: [] for part in ("train", "query", "test")}
    for shot in shots:
        folder, name = shot.files[0][0].split("/")
        lists[folder.removeprefix("image_")].append(f"{name}\n")
    return {f"name_{part}.txt": "".join(sorted(names)) for part, names in lists.items()}


def veri_labels(shots: list[Shot], seed: int) -> dict[str, str]:
    """Return the colour and type of every training image, and of every query and gallery image."""
    photographer = VehiclePhotographer("VeRi776", seed)
    items: dict[str, list[str]] = {"train": [], "test": []}
    for shot in shots:
        folder, name = shot.files[0][0].split("/")
        vehicle = photographer.vehicle(shot.person)
        colour, kind = VERI_COLOURS.index(COLOURS[vehicle.paint]) + 1, VERI_TYPES.index(vehicle.kind) + 1
        items["train" if folder == "image_train" else "test"].append(
            f'    <Item imageName="{name}" vehicleID="{name[:4]}" cameraID="{name[5:9]}" '
            f'colorID="{colour}" typeID="{kind}"/>\n'
        )
    head = '<?xml version="1.0" encoding="gb2312"?>\n<TrainingImages Version="1.0">\n'
    return {
        f"{part}_label.xml": f'{head}  <Items number="{len(lines)}">\n{"".join(sorted(lines))}  </Items>\n'
        "</TrainingImages>\n"
        for part, lines in items.items()
    }


def plan_vehicleid(seed: int, train: int, test: int) -> Iterator[Shot]:
    """Plan VehicleID, at noon: three images by each of 4-6 cameras per training vehicle, two by 3-4 in the test."""
    for index in range(train + test):
        vehicle = 2 * (index + 1) if index < train else 2 * (index - train) + 1
        number = 0
        for camera in cameras_of(seed, 12, vehicle, VEHICLEID_CAMERAS, *((4, 6) if index < train else (3, 4))):
            for _ in range(3 if index < train else 2):
                yield Shot(((f"image/{100 * vehicle + number:07d}.jpg", "detected"),), vehicle, camera, number, 1)
                number += 1


def vehicleid_lists(shots: list[Shot]) -> dict[str, str]:
    """Return the training list, the six test lists, each with more of the test vehicles, and the list of all images."""
    lines = {part: "".join(_line(shot) for shot in shots if _is_test(shot) == part) for part in (False, True)}
    lists = {"train_test_split/train_list.txt": lines[False], "attribute/img2vid.txt": lines[False] + lines[True]}
    vehicles = sorted({shot.person for shot in shots if _is_test(shot)})
    for size, share in TEST_LISTS.items():
        chosen = set(vehicles[: max(2, round(share * len(vehicles)))])
        lists[f"train_test_split/test_list_{size}.txt"] = "".join(
            _line(shot) for shot in shots if shot.person in chosen
        )
    return lists


def vehicleid_labels(shots: list[Shot], seed: int) -> dict[str, str]:
    """Return the model of every vehicle, and the colour of those whose colour is one of the seven."""
    photographer = VehiclePhotographer("VehicleID", seed)
    first = dict(zip(POOL, np.cumsum([0, *POOL.values()]).tolist()))
    models, colours = [], []
    for key in sorted({shot.person for shot in shots}):
        vehicle = photographer.vehicle(key)
        models.append(f"{key} {first[vehicle.kind] + vehicle.model}\n")
        if COLOURS[vehicle.paint] in VEHICLEID_COLOURS:
            colours.append(f"{key} {VEHICLEID_COLOURS.index(COLOURS[vehicle.paint])}\n")
    return {"attribute/model_attr.txt": "".join(models), "attribute/color_attr.txt": "".join(colours)}


def _is_test(shot: Shot) -> bool:
    return shot.person % 2 == 1


def _line(shot: Shot) -> str:
    return f"{shot.files[0][0][len('image/') : -len('.jpg')]} {shot.person}\n"


VEHICLE_LAYOUTS = {
    "VeRi776": Layout("VeRi", 110, 100, plan_veri, veri_lists, veri_labels),
    "VehicleID": Layout("VehicleID_V1.0", 140, 200, plan_vehicleid, vehicleid_lists, vehicleid_labels),
}
