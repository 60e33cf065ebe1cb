"""The twins of VIPeR and CUHK03: in the real layouts, readable, and frozen like the others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets import build_dataset
from reidzoo.render import render_twins
from reidzoo.render.people.pair_layouts import PAIR_LAYOUTS, SPLITS
from reidzoo.render.people.photographer import Photographer
from reidzoo.render.twins import plan, renderer_version

pytestmark = pytest.mark.slow

SMALL = 0.1
NAMES = {
    "VIPeR": r"cam_[ab]/\d{3}_(0|45|90|135|180)\.bmp",
    "CUHK03": r"images_labeled/[123]_\d{3}_([12])_(0[1-9]|10)\.png",
}
VERSION_1 = {
    "VIPeR": ((48, 128), [128, 138, 128, 130, 133, 112, 52, 58, 75, 101, 98, 80, 80, 93, 107, 78, 89, 105, 85, 97, 101,
                          66, 79, 94]),
    "CUHK03": ((57, 158), [114, 102, 92, 109, 98, 87, 93, 84, 79, 99, 90, 86, 116, 105, 89, 117, 106, 91, 123, 112, 101,
                           112, 105, 95]),
}  # fmt: skip
"""Size of one photograph of each twin, and its mean colours in 2 x 4 fields, as renderer version 1 takes it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets-mini")
    render_twins(folder, list(PAIR_LAYOUTS), scale=SMALL, jobs=1)
    return folder


@pytest.mark.parametrize("name", PAIR_LAYOUTS)
def test_file_names_are_those_of_the_real_dataset(root: Path, name: str) -> None:
    folder = root / PAIR_LAYOUTS[name].folder
    images = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".bmp", ".png"))
    assert images == sorted(shot.files[0][0] for shot in plan(name, SMALL, 0)) and images
    assert [image for image in images if not re.fullmatch(NAMES[name], image)] == []
    whole = [shot.files[0][0] for shot in plan(name, 1.0, 0)]
    assert len(whole) == len(set(whole)) == {"VIPeR": 320, "CUHK03": 1500}[name]
    assert set(images) < set(whole)


@pytest.mark.parametrize("name", PAIR_LAYOUTS)
def test_the_renderer_is_frozen(name: str) -> None:
    image = Photographer(name, 0).render(plan(name, SMALL, 0)[3])[0]
    assert renderer_version(name) == 1
    size, colours = VERSION_1[name]
    assert image.size == size
    np.testing.assert_allclose(np.asarray(image.resize((2, 4), Image.Resampling.BOX)).ravel(), colours, atol=1)


@pytest.mark.parametrize("name, ids", [("VIPeR", (8, 8, 8)), ("CUHK03", (10, 5, 5))])
def test_the_readers_read_them(root: Path, name: str, ids: tuple[int, int, int]) -> None:
    dataset = build_dataset(name, root=root)
    parts = (dataset.train, dataset.query, dataset.gallery)
    assert tuple(len({record.pid for record in part}) for part in parts) == ids and dataset.is_twin
    assert all(Path(record.path).is_file() for part in parts for record in part)
    assert {record.camid for record in dataset.query} == {0} and {record.camid for record in dataset.gallery} == {1}
    tested = [{r.pid for r in build_dataset({"type": name, "split": k}, root=root).query} for k in range(SPLITS)]
    assert len({frozenset(pids) for pids in tested}) > SPLITS // 2


def test_cuhk03s_splits_name_every_image_of_a_third(root: Path) -> None:
    splits = json.loads((root / "cuhk03" / "splits_classic_labeled.json").read_text())
    assert len(splits) == SPLITS
    for split in splits:
        assert len(split["query"]) == 50 and len({person for _, person, _ in split["query"]}) == 5
        assert all((root / "cuhk03" / path).is_file() for path, _, _ in split["query"])


def test_viper_has_its_size(root: Path) -> None:
    with Image.open(next((root / "VIPeR" / "cam_a").iterdir())) as image:
        assert image.size == (48, 128) and image.mode == "RGB"
