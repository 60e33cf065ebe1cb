from __future__ import annotations

import os

import pytest

from reidzoo.datasets import UnlabeledFolder, build_dataset
from reidzoo.errors import ConfigError, DatasetError


def test_every_image_below_is_of_nobody_known(tmp_path, touch):
    touch(tmp_path / "mine", ["c2/0007/b.jpg", "c2/a.PNG", "c11/a.jpg", "c11/.hidden.jpg", ".git/c1.jpg", "notes.txt"])
    dataset = build_dataset({"type": "UnlabeledFolder", "folder": "mine"}, tmp_path)
    assert [(r.path, r.pid, r.camid) for r in dataset.train] == [
        (os.path.join(tmp_path, "mine", name), -1, camid)
        for name, camid in (("c11/a.jpg", 11), ("c2/a.PNG", 2), ("c2/0007/b.jpg", 2))
    ]
    assert (dataset.name, dataset.query, dataset.gallery) == ("mine", [], [])


def test_cameras_are_in_names_in_folders_or_nowhere(tmp_path, touch):
    touch(
        tmp_path,
        ["in_names/0001_c2.jpg", "in_names/0002_c4.jpg", "nowhere/x.jpg", "named/gate/1.jpg", "named/door/1.jpg"],
    )
    assert [r.camid for r in UnlabeledFolder(tmp_path, "in_names").train] == [2, 4]
    assert [r.camid for r in UnlabeledFolder(tmp_path, "nowhere").train] == [0]
    named = UnlabeledFolder(tmp_path, "named", camera="^([a-z]+)_")
    assert named.camid_of == {"door": 0, "gate": 1} and [r.camid for r in named.train] == [0, 1]


def test_what_is_wrong_is_said(tmp_path, touch):
    touch(tmp_path, ["mixed/a_c1.jpg", "mixed/b.jpg"])
    (tmp_path / "empty/below").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"UnlabeledFolder: 1 of 2 images name no camera .*others do \(a_c1\.jpg\)"):
        UnlabeledFolder(tmp_path, "mixed")
    with pytest.raises(DatasetError, match="empty holds no image, nor does a folder in it"):
        UnlabeledFolder(tmp_path, "empty")
    with pytest.raises(DatasetError, match=r"(?s)was not found.*absent \(no such folder\)"):
        UnlabeledFolder(tmp_path, "absent")
    with pytest.raises(ConfigError, match="camera must be a regular expression with one group"):
        UnlabeledFolder(tmp_path, "mixed", camera="gate")
