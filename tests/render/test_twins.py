from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidzoo.errors import DatasetError
from reidzoo.render import RENDERER_VERSION, render_twins
from reidzoo.render.people.layouts import LAYOUTS
from reidzoo.render.people.photographer import Photographer
from reidzoo.render.twins import TWINS, plan

pytestmark = pytest.mark.slow

TINY = 0.02
NAMES = {
    "Market1501": r"(bounding_box_train|query|bounding_box_test)/(-1|\d{4})_c[1-6]s\d_\d{6}_\d\d\.jpg",
    "MSMT17": r"(train|test)/(\d{4})/\2_\d{3}_(0[1-9]|1[0-5])_\d{4}(morning|noon|afternoon)_\d{4}_\d\.jpg",
    "RandPerson": r"subset/randperson_subset/\d{6}_s(0\d|10)_c0[01]_f\d{6}\.jpg",
    "CUHK03NP": r"(detected|labeled)/(bounding_box_train|query|bounding_box_test)/\d{4}_c[12]_\d+\.png",
    "DukeMTMC": r"(bounding_box_train|query|bounding_box_test)/\d{4}_c[1-8]_f\d{7}\.jpg",
}

VERSION_1 = {
    "Market1501": ((64, 128), [156, 141, 142, 136, 115, 117, 111, 100, 102, 152, 117, 121, 125, 113, 116, 117, 106, 108,
                               136, 123, 125, 128, 117, 118]),
    "MSMT17": ((69, 133), [48, 49, 58, 64, 63, 73, 98, 96, 109, 80, 79, 90, 80, 81, 99, 67, 69, 86, 90, 89, 104, 84, 83,
                           98]),
    "RandPerson": ((64, 128), [165, 121, 96, 211, 152, 117, 109, 90, 71, 165, 131, 82, 165, 137, 105, 178, 146, 107,
                               165, 139, 105, 179, 141, 101]),
    "CUHK03NP": ((74, 147), [191, 194, 177, 180, 184, 167, 208, 199, 185, 141, 135, 124, 219, 209, 194, 214, 204, 189,
                             201, 190, 172, 207, 196, 178]),
    "DukeMTMC": ((53, 139), [70, 95, 63, 69, 92, 61, 67, 95, 71, 90, 119, 97, 69, 90, 80, 62, 80, 71, 105, 124, 127,
                             91, 107, 110]),
}  # fmt: skip
"""Size of one photograph of each twin, and its mean colours in 2 x 4 fields, as renderer version 1 takes it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets-mini")
    render_twins(folder, scale=TINY, jobs=1)
    return folder


def images_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".jpg", ".png", ".bmp"))


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("name", LAYOUTS)
def test_file_names_are_those_of_the_real_dataset(root: Path, name: str) -> None:
    folder = root / LAYOUTS[name].folder
    images = images_of(folder)
    assert images
    assert [image for image in images if not re.fullmatch(NAMES[name], image)] == []
    assert len(images) == sum(len(shot.files) for shot in plan(name, TINY, 0))
    planned = [file for shot in plan(name, 1.0, 0) for file, _ in shot.files]
    assert len(set(planned)) == len(planned)


@pytest.mark.parametrize("name", LAYOUTS)
def test_twin_json_tells_what_was_rendered(root: Path, name: str) -> None:
    folder = root / LAYOUTS[name].folder
    record = json.loads((folder / "twin.json").read_text())
    assert record == {
        "twin_of": name, "version": RENDERER_VERSION, "seed": 0, "scale": TINY,
        "ids": record["ids"], "images": len(images_of(folder)),
    }  # fmt: skip
    assert [p.name for p in root.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_images_are_not_flat_and_show_different_people(root: Path, name: str) -> None:
    folder = root / LAYOUTS[name].folder
    for path in images_of(folder)[:20]:
        with Image.open(folder / path) as image:
            assert image.mode == "RGB"
            assert 110 <= image.height <= 190 and 0.3 <= image.width / image.height <= 0.6
            assert np.asarray(image).std() > 10
    assert len(set(digest(folder).values())) == len(digest(folder))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_renderer_of_people_is_frozen(name: str) -> None:
    # A changed draw of a single random number would change these; the last digit may differ between processors.
    image = Photographer(name, 0).render(plan(name, TINY, 0)[3])[0]
    assert RENDERER_VERSION == 1
    size, colours = VERSION_1[name]
    assert image.size == size
    np.testing.assert_allclose(np.asarray(image.resize((2, 4), Image.Resampling.BOX)).ravel(), colours, atol=1)


def split_views(name: str, scale: float) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """(identity, camera) of every query and gallery image of the (detected) test set, by the planned file names."""
    query, gallery = [], []
    for shot in plan(name, scale, 0):
        path = shot.files[0][0]
        if name == "MSMT17":
            part, pid = path.split("/")[:2]
            if part == "test":
                (gallery if shot.number % 4 else query).append((pid, shot.camera))
        elif "query" in path or "bounding_box_test" in path:
            (query if "query" in path else gallery).append((Path(path).name.split("_")[0], shot.camera))
    return query, gallery


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "RandPerson"])
@pytest.mark.parametrize("scale", [TINY, 1.0])
def test_every_query_has_a_match_under_another_camera(name: str, scale: float) -> None:
    query, gallery = split_views(name, scale)
    cameras = defaultdict(set)
    for pid, camera in gallery:
        cameras[pid].add(camera)
    assert query and all(cameras[pid] - {camera} for pid, camera in query)
    assert len(set(query)) == len(query)  # one query per identity and camera


def test_market_has_junk_and_distractors_and_disjoint_identities(root: Path) -> None:
    folder = root / LAYOUTS["Market1501"].folder
    parts = ("bounding_box_train", "query", "bounding_box_test")
    train, query, gallery = ({p.name.split("_")[0] for p in (folder / part).iterdir()} for part in parts)
    assert {"-1", "0000"} < gallery
    assert query == gallery - {"-1", "0000"}
    assert not train & gallery


def test_msmt17_lists_name_every_image_once(root: Path) -> None:
    folder = root / LAYOUTS["MSMT17"].folder
    listed = []
    for part in ("train", "val", "query", "gallery"):
        lines = (folder / f"list_{part}.txt").read_text().splitlines()
        assert lines
        for line in lines:
            path, pid = line.split(" ")
            assert int(path[:4]) == int(pid)
            listed.append(f"{'train' if part in ('train', 'val') else 'test'}/{path}")
    assert sorted(listed) == images_of(folder)
    assert (folder / "test" / "0000").is_dir()


def test_cuhk03_boxes_are_of_the_same_photographs(root: Path) -> None:
    folder = root / LAYOUTS["CUHK03NP"].folder
    assert images_of(folder / "detected") == images_of(folder / "labeled")


def test_same_bytes_whatever_the_number_of_processes(root: Path, tmp_path: Path) -> None:
    render_twins(tmp_path, ["Market1501", "CUHK03NP"], scale=TINY, jobs=2)
    for name in ("Market1501", "CUHK03NP"):
        assert digest(tmp_path / LAYOUTS[name].folder) == digest(root / LAYOUTS[name].folder)


def test_another_seed_is_another_world(root: Path, tmp_path: Path) -> None:
    render_twins(tmp_path, ["RandPerson"], scale=0.005, seed=1, jobs=1)
    before, after = digest(root / "RandPerson"), digest(tmp_path / "RandPerson")
    assert not set(before.values()) & set(after.values())


def test_a_larger_scale_adds_identities_and_keeps_the_others(root: Path, tmp_path: Path) -> None:
    (small,) = render_twins(tmp_path, ["DukeMTMC"], scale=0.01, jobs=1)
    large = digest(root / LAYOUTS["DukeMTMC"].folder)
    kept = digest(Path(small.folder))
    del kept["twin.json"]
    assert kept.items() < large.items()


def test_a_twin_that_is_there_is_left_alone(root: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    twins = render_twins(root, scale=TINY, jobs=1)
    assert not any(twin.rendered for twin in twins)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before
    assert [twin.images for twin in twins] == [len(images_of(root / TWINS[t.dataset].folder)) for t in twins]
    assert [twin.dataset for twin in twins] == list(TWINS)


@pytest.mark.parametrize("content", [None, "{}", "[]", "not json"])
def test_a_foreign_folder_is_never_touched(tmp_path: Path, content: str | None) -> None:
    real = tmp_path / "MSMT17_V1"
    real.mkdir()
    (real / "list_train.txt").write_text("mine")
    if content is not None:
        (real / "twin.json").write_text(content)
    before = digest(tmp_path)
    with pytest.raises(DatasetError, match=r"MSMT17_V1.*nothing was touched"):
        render_twins(tmp_path, scale=TINY, jobs=1)
    assert digest(tmp_path) == before  # nor was any other dataset begun


@pytest.mark.parametrize("changed", [{"seed": 3}, {"scale": 0.03}])
def test_another_twin_in_the_way_is_an_error(root: Path, changed: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match="nothing was touched"):
        render_twins(root, ["RandPerson"], **{"scale": TINY, "seed": 0, **changed})


@pytest.mark.parametrize(
    "bad",
    [{"datasets": ["Market"]}, {"seed": -1}, {"jobs": -1}, *({"scale": s} for s in (0.0, -1.0, float("nan"), 1e6))],
)
def test_bad_arguments_are_user_errors(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(DatasetError):
        render_twins(tmp_path / "new", **bad)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reidzoo.render.twins.render_chunk", stop)
    with pytest.raises(KeyboardInterrupt):
        render_twins(tmp_path, ["Market1501"], scale=TINY, jobs=1)
    assert list(tmp_path.iterdir()) == []
