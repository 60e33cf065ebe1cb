from __future__ import annotations

import numpy as np
import pytest

from reidzoo.datasets import Record, StyleFolder
from reidzoo.errors import DatasetError

CAMERAS = (0, 2, 5)
"""Cameras are numbered as the dataset does; this one has no images of cameras 1, 3 and 4."""


def make_records(folder):
    return [Record(str(folder / f"{i:04d}_c{c + 1}s1_00_{i}.jpg"), -1, c) for i, c in enumerate((0, 0, 2, 0, 2, 5))]


def style_name(record, other, scheme):
    stem = record.path.rsplit("/", 1)[-1].removesuffix(".jpg")
    return f"{stem}_fake_{record.camid + 1}to{other + 1}.jpg" if scheme == "pair" else f"{stem}_fake_{other + 1}.jpg"


@pytest.fixture(params=["pair", "target"])
def complete(request, tmp_path):
    """Records, and a folder with every style image, some of them a folder further down."""
    records, folder = make_records(tmp_path / "train"), tmp_path / "styles"
    for number, record in enumerate(records):
        for other in set(CAMERAS) - {record.camid}:
            path = folder / ("deeper" if number % 2 else "") / style_name(record, other, request.param)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (folder / "0000_c1s1_00_0_fake_1to9.jpg").touch()  # a camera that the dataset has not
    (folder / "readme.txt").touch()
    return records, folder


def test_each_camera_is_drawn_as_often_and_the_file_is_the_right_one(complete):
    records, folder = complete
    styles = StyleFolder(records, folder)
    assert len(styles.paths) == len(records) * (len(CAMERAS) - 1) and styles.missing == 0
    numbers = (np.arange(300) + 0.5) / 300
    for row, record in enumerate(records):
        files = styles.files(np.full(300, row), numbers)
        names, counts = np.unique(files, return_counts=True)
        assert counts.tolist() == [100] * 3 and row in names
        others = {styles.paths[file - len(records)].rsplit("/", 1)[-1] for file in names if file != row}
        wanted = {style_name(record, other, scheme) for other in CAMERAS for scheme in ("pair", "target")}
        assert len(others) == 2 and others <= wanted
    assert styles.files(np.array([0, 5]), np.array([0.0, 1 - 2**-53])).max() < len(records) + len(styles.paths)


def test_restyle_leaves_the_images_alone(complete):
    images = object()
    assert StyleFolder(*complete).restyle(images, np.array([0]), np.array([0.5])) is images


def test_a_half_missing_folder_is_counted(complete):
    records, folder = complete
    files = sorted(folder.rglob("000[23]*"))
    for file in files[:3]:
        file.unlink()
    with pytest.raises(DatasetError, match=r"3 of the 12 style images of 6 images and 3 cameras .* 2 images lack") as e:
        StyleFolder(records, folder)
    assert "0002_c3s1_00_2 under camera" in str(e.value) and "incomplete: allow" in str(e.value)
    styles = StyleFolder(records, folder, incomplete="allow")
    assert styles.missing == 3 and len(styles.paths) == 9
    for row in range(6):
        files, counts = np.unique(styles.files(np.full(600, row), (np.arange(600) + 0.5) / 600), return_counts=True)
        assert len(set(counts.tolist())) == 1 and row in files
    assert len(np.unique(styles.files(np.full(99, 2), np.linspace(0, 0.999, 99)))) < 3


def test_a_camera_that_appears_once_is_a_camera(complete):
    records, folder = complete
    styles = StyleFolder(records, folder)
    drawn = styles.files(np.full(3, 5), np.array([0.1, 0.5, 0.9]))  # the only image of camera 6
    assert len(set(drawn.tolist())) == 3


def test_another_datasets_images_are_recognised(tmp_path):
    records = make_records(tmp_path)
    for other in (1, 3):
        (tmp_path / f"0000_c1s1_00_0_fake_3to{other}.jpg").touch()
    with pytest.raises(DatasetError, match=r"named after an image of camera 3, .* is of camera 1"):
        StyleFolder(records, tmp_path, incomplete="allow")


def test_images_of_one_name_cannot_be_told_apart(tmp_path):
    records = [Record(str(tmp_path / folder / "a.jpg"), -1, camid) for camid, folder in enumerate("xy")]
    with pytest.raises(DatasetError, match="have the same name"):
        StyleFolder(records, tmp_path)


def test_an_empty_folder_lacks_everything(tmp_path):
    with pytest.raises(DatasetError, match="12 of the 12 style images"):
        StyleFolder(make_records(tmp_path), tmp_path)
