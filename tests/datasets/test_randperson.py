from __future__ import annotations

import pytest

from reidzoo.datasets import RandPerson
from reidzoo.errors import ConfigError

NAMES = ["000000_s00_c00_f000264.jpg", "000000_s00_c01_f001632.jpg", "000003_s10_c01_f000001.jpg"]


@pytest.mark.parametrize("folder", RandPerson.folders)
def test_records(tmp_path, touch, folder):
    touch(tmp_path / folder, NAMES)
    dataset = RandPerson(tmp_path)
    assert [record[1:3] for record in dataset.train] == [(0, 0), (0, 1), (3, 1)]
    assert dataset.query == [] and dataset.gallery == []


def test_cameras_of_each_scene(tmp_path, touch):
    touch(tmp_path / "randperson_subset", NAMES)
    assert [record.camid for record in RandPerson(tmp_path, cameras="scene").train] == [0, 1, 2]


def test_unknown_cameras(tmp_path):
    with pytest.raises(ConfigError, match="field, scene"):
        RandPerson(tmp_path, cameras="all")
