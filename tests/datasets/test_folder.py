from __future__ import annotations

import os

import pytest

from reidzoo.datasets import FolderDataset, build_dataset
from reidzoo.errors import ConfigError, DatasetError


def test_numeric_folders_and_cameras(tmp_path, touch):
    touch(tmp_path / "mine", ["train/3/c2_a.jpg", "train/3/x_c11s1.png", "query/07/a.jpg", "gallery/-1/abc5.jpg"])
    touch(tmp_path / "mine", ["gallery/07/.hidden.jpg", "gallery/.git/a.jpg", "gallery/07/Thumbs.db", "gallery/b.jpg"])
    dataset = build_dataset({"type": "FolderDataset", "folder": "mine"}, tmp_path)
    assert [record[1:3] for record in dataset.train] == [(3, 2), (3, 11)]
    assert [record[1:3] for record in dataset.query] == [(7, 0)]
    assert [record[1:3] for record in dataset.gallery] == [(-1, 0)]
    assert dataset.train[0].path == os.path.join(tmp_path, "mine/train/3/c2_a.jpg")
    assert dataset.name == "mine"


def test_names_that_are_one_number_or_a_huge_one_are_people_of_their_own(tmp_path, touch):
    touch(tmp_path, ["train/1/a.jpg", "train/01/a.jpg", "train/-1/a.jpg", f"query/{10**25}/a.jpg", "gallery/7/a.jpg"])
    assert FolderDataset(tmp_path, ".").pid_of == {"-1": -1, "01": 0, "1": 1, str(10**25): 2, "7": 3}


def test_a_camera_is_one_with_and_without_leading_zeros(tmp_path, touch):
    touch(tmp_path, ["train/1/a_c1.jpg", "train/1/a_c01.jpg", "train/2/a_c10.jpg"])
    assert FolderDataset(tmp_path, ".").camid_of == {"01": 1, "1": 1, "10": 10}


def test_named_folders_share_one_numbering(tmp_path, touch):
    touch(tmp_path, ["train/cleo/a.jpg", "query/bert/a_c1.jpg", "gallery/anna/a_c2.jpg", "gallery/bert/a_c2.jpg"])
    dataset = FolderDataset(tmp_path, ".")
    assert dataset.pid_of == {"anna": 0, "bert": 1, "cleo": 2}
    assert [r.pid for r in dataset.train + dataset.query + dataset.gallery] == [2, 1, 0, 1]


def test_protocol_without_cameras_is_camera_free(tmp_path, touch):
    touch(tmp_path, ["train/1/a_c1.jpg", "query/2/a.jpg", "gallery/2/b.jpg"])
    assert FolderDataset(tmp_path, ".").protocol == "camera_free"
    assert FolderDataset(tmp_path, ".", protocol="cuhk03").protocol == "cuhk03"


def test_cameras_are_named_by_all_images_or_by_none(tmp_path, touch):
    touch(tmp_path, ["train/1/a_c1.jpg", "query/2/a_c0.jpg", "gallery/2/b_c4.jpg"])
    assert FolderDataset(tmp_path, ".").protocol == "market1501"
    touch(tmp_path, ["gallery/2/c.jpg"])
    with pytest.raises(DatasetError, match=r"1 of 3 images name no camera .*c\.jpg\), and the others do \(a_c0\.jpg\)"):
        FolderDataset(tmp_path, ".")
    assert FolderDataset(tmp_path, ".", protocol="camera_free").protocol == "camera_free"
    touch(tmp_path, ["train/1/b.jpg"])
    with pytest.raises(DatasetError, match="1 of 2 images name no camera"):
        FolderDataset(tmp_path, ".", protocol="camera_free")


def test_train_only(tmp_path, touch):
    touch(tmp_path, ["train/1/a.jpg"])
    dataset = FolderDataset(tmp_path, ".")
    assert (len(dataset.train), dataset.query, dataset.gallery) == (1, [], [])
    assert dataset.protocol == "market1501"


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match=r"(?s)Looked for train or query or gallery.*mine \(no such folder\)"):
        FolderDataset(tmp_path, "mine")
    (tmp_path / "mine" / "train").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds no image; expected <split>/<person>/<image>"):
        FolderDataset(tmp_path, "mine")


def test_a_pattern_finds_the_cameras_names(tmp_path, touch):
    touch(
        tmp_path, ["train/1/gate-001.jpg", "query/2/door-001.tif", "gallery/2/gate-002.webp", "gallery/-1/door-3.tiff"]
    )
    dataset = FolderDataset(tmp_path, ".", camera="^([a-z]+)-")
    assert dataset.camid_of == {"door": 0, "gate": 1} and dataset.protocol == "market1501"
    assert [r[1:3] for r in dataset.train + dataset.query + dataset.gallery] == [(1, 1), (2, 0), (-1, 0), (2, 1)]
    for wrong in ("gate", "(a)(b)", "(", 7):
        with pytest.raises(ConfigError, match="camera must be a regular expression with one group"):
            FolderDataset(tmp_path, ".", camera=wrong)
