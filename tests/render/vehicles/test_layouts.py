from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets import build_dataset
from reidzoo.evaluation import evaluate_ranking
from reidzoo.render import VEHICLE_RENDERER_VERSION, render_twins
from reidzoo.render.twins import plan
from reidzoo.render.vehicles.layouts import TEST_LISTS, VEHICLE_LAYOUTS, VERI_COLOURS, VERI_TYPES
from reidzoo.render.vehicles.photographer import VehiclePhotographer
from reidzoo.render.vehicles.vehicle import COLOURS

from ..test_twins import digest

pytestmark = pytest.mark.slow

TINY = 0.03
NAMES = {
    "VeRi776": r"image_(train|query|test)/\d{4}_c0(0[1-9]|1\d|20)_\d{8}_\d\.jpg",
    "VehicleID": r"image/\d{7}\.jpg",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets-mini")
    render_twins(folder, list(VEHICLE_LAYOUTS), scale=TINY, jobs=1)
    return folder


def images_of(folder: Path) -> list[str]:
    return [name for name in digest(folder) if name.endswith(".jpg")]


@pytest.mark.parametrize("name", VEHICLE_LAYOUTS)
def test_file_names_are_those_of_the_real_dataset(root: Path, name: str) -> None:
    images = images_of(root / VEHICLE_LAYOUTS[name].folder)
    assert images and [image for image in images if not re.fullmatch(NAMES[name], image)] == []
    planned = [file for shot in plan(name, 1.0, 0) for file, _ in shot.files]
    assert len(set(planned)) == len(planned)


@pytest.mark.parametrize("name", VEHICLE_LAYOUTS)
def test_the_default_is_small(name: str) -> None:
    layout, shots = VEHICLE_LAYOUTS[name], plan(name, 1.0, 0)
    train = [shot for shot in shots if shot.person % 2 == 0]
    assert 100 <= layout.train_ids == len({shot.person for shot in train}) <= 150
    assert 1800 <= len(train) <= 2300 and len(shots) < 4000


@pytest.mark.parametrize("name", VEHICLE_LAYOUTS)
def test_twin_json_tells_what_was_rendered(root: Path, name: str) -> None:
    folder = root / VEHICLE_LAYOUTS[name].folder
    record = json.loads((folder / "twin.json").read_text())
    assert record == {
        "twin_of": name, "version": VEHICLE_RENDERER_VERSION, "seed": 0, "scale": TINY,
        "ids": record["ids"], "images": len(images_of(folder)),
    }  # fmt: skip


@pytest.mark.parametrize("name", VEHICLE_LAYOUTS)
def test_images_are_not_flat_and_all_different(root: Path, name: str) -> None:
    folder = root / VEHICLE_LAYOUTS[name].folder
    shapes = set()
    for path in images_of(folder)[::3]:
        with Image.open(folder / path) as image:
            shapes.add(image.size)
            assert image.mode == "RGB" and 80 <= max(image.size) <= 160 and min(image.size) >= 24
            assert np.asarray(image).std() > 8
    assert len(shapes) > 10
    assert len({digest(folder)[image] for image in images_of(folder)}) == len(images_of(folder))


@pytest.mark.parametrize("scale", [TINY, 1.0])
def test_every_query_of_veri_has_a_match_under_another_camera(scale: float) -> None:
    gallery = defaultdict(set)
    shots = plan("VeRi776", scale, 0)
    for shot in shots:
        if shot.files[0][0].startswith("image_test"):
            gallery[shot.person].add(shot.camera)
    query = [(shot.person, shot.camera) for shot in shots if shot.files[0][0].startswith("image_query")]
    assert query and all(gallery[vehicle] - {camera} for vehicle, camera in query)
    assert len(set(query)) == len(query)
    assert scale < 1 or {shot.camera for shot in shots} == set(range(20))


def test_veris_lists_and_labels_agree_with_its_images(root: Path) -> None:
    folder = root / "VeRi"
    for part in ("train", "query", "test"):
        names = (folder / f"name_{part}.txt").read_text().split()
        assert names == sorted(path.name for path in (folder / f"image_{part}").iterdir())
    dataset = build_dataset("VeRi776", root)
    attributes, photographer = dataset.attributes(), VehiclePhotographer("VeRi776", 0)
    assert set(attributes) == {record.pid for record in (*dataset.train, *dataset.gallery)}
    for pid, labels in attributes.items():
        vehicle = photographer.vehicle(pid)
        assert VERI_COLOURS[labels["color"] - 1] == COLOURS[vehicle.paint]
        assert VERI_TYPES[labels["type"] - 1] == vehicle.kind


def test_vehicleids_test_lists_grow_and_name_every_image_once(root: Path) -> None:
    folder = root / "VehicleID_V1.0"
    sets = [build_dataset({"type": "VehicleID", "test_size": size}, root) for size in TEST_LISTS]
    counts = [len(dataset.gallery) for dataset in sets]
    assert counts == sorted(counts) and counts[0] >= 2 and counts[-1] == 6
    listed = [record.path for part in ("train", "query", "gallery") for record in sets[-1].records(part)]
    assert sorted(listed) == sorted(str(folder / image) for image in images_of(folder))
    assert not {record.pid for record in sets[-1].train} & {record.pid for record in sets[-1].query}
    attributes = sets[0].attributes()
    assert all(0 <= labels["model"] < 250 and 0 <= labels.get("color", 0) < 7 for labels in attributes.values())
    lines = (folder / "attribute" / "img2vid.txt").read_text().splitlines()
    assert len(lines) == len(images_of(folder)) and {int(line.split()[1]) for line in lines} == set(attributes)
    full = VEHICLE_LAYOUTS["VehicleID"].lists(plan("VehicleID", 1.0, 0))
    sizes = {size: full[f"train_test_split/test_list_{size}.txt"] for size in TEST_LISTS}
    assert [len({line.split()[1] for line in text.splitlines()}) for text in sizes.values()] == [
        40, 80, 120, 160, 180, 200,
    ]  # fmt: skip


@pytest.mark.parametrize("node", ["VeRi776", "VehicleID", {"type": "VehicleID", "test_size": 3200}])
def test_the_readers_protocol_can_be_evaluated(root: Path, node: object) -> None:
    dataset = build_dataset(node, root)
    assert dataset.is_twin and "rendered twin" in dataset.summary()
    records = [*dataset.query, *dataset.gallery]
    features = np.eye(max(record.pid for record in records) + 1)[[record.pid for record in records]]
    n, pids = len(dataset.query), [record.pid for record in records]
    camids = [record.camid for record in records]
    result = evaluate_ranking(
        features[:n], features[n:], pids[:n], pids[n:], camids[:n], camids[n:], protocol=dataset.protocol
    )
    assert (result.mAP, result.cmc[0]) == (1.0, 1.0)
    assert result.trials == (1 if dataset.protocol == "market1501" else 10)


def test_same_bytes_whatever_the_number_of_processes(root: Path, tmp_path: Path) -> None:
    render_twins(tmp_path, list(VEHICLE_LAYOUTS), scale=TINY, jobs=2)
    for layout in VEHICLE_LAYOUTS.values():
        assert digest(tmp_path / layout.folder) == digest(root / layout.folder)


def test_another_seed_is_another_world_and_a_larger_scale_keeps_the_vehicles(root: Path, tmp_path: Path) -> None:
    large = digest(root / "VeRi")
    (other,) = render_twins(tmp_path / "other", ["VeRi776"], scale=0.02, seed=1, jobs=1)
    assert not {hash for name, hash in digest(Path(other.folder)).items() if name.endswith(".jpg")} & {*large.values()}
    (small,) = render_twins(tmp_path / "small", ["VeRi776"], scale=0.02, jobs=1)
    kept = {name: hash for name, hash in digest(Path(small.folder)).items() if name.endswith(".jpg")}
    assert kept.items() < large.items()


def test_veri_sees_vehicles_from_all_sides_and_vehicleid_from_both_ends() -> None:
    turns = {}
    for name in VEHICLE_LAYOUTS:
        photographer = VehiclePhotographer(name, 0)
        yaws = np.array([photographer.view(shot).yaw for shot in plan(name, 0.3, 0)[::3]])
        turns[name] = yaws % (2 * math.pi)
    sectors = np.bincount(((turns["VeRi776"] + math.pi / 8) // (math.pi / 4)).astype(int) % 8, minlength=8)
    assert (sectors > 0.02 * sectors.sum()).all(), sectors
    off = np.abs((turns["VehicleID"] + math.pi / 2) % math.pi - math.pi / 2)  # from the nearer end
    assert off.max() < 1.0 and np.quantile(off, 0.9) < 0.5
    rear = np.cos(turns["VehicleID"]) < 0
    assert 0.3 < rear.mean() < 0.7
