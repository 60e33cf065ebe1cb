from __future__ import annotations

import os

import pytest

from reidzoo.datasets import Market1501


@pytest.mark.parametrize("folder", Market1501.folders)
def test_folders(tmp_path, market, folder):
    market(tmp_path / folder)
    assert Market1501(tmp_path).folder == str(tmp_path / folder)


def test_records(tmp_path, market, touch):
    folder = market(tmp_path / "Market-1501-v15.09.15")
    touch(folder, ["bounding_box_train/Thumbs.db", "bounding_box_test/.DS_Store", "readme.txt"])
    dataset = Market1501(tmp_path)
    assert [record[1:] for record in dataset.train] == [(2, 0, 0, -1, -1), (2, 1, 0, -1, -1), (7, 2, 0, -1, -1)]
    assert dataset.train[0].path == os.path.join(tmp_path, folder, "bounding_box_train", "0002_c1s1_000451_03.jpg")
    assert [record[1:3] for record in dataset.query] == [(1, 0)]
    assert (dataset.name, dataset.protocol) == ("Market1501", "market1501")


def test_cameras_that_are_counted_from_0_stay(tmp_path, market, touch):
    folder = market(tmp_path / "Market-1501")
    touch(folder, ["query/0001_c0s1_000451_03.jpg"])
    dataset = Market1501(tmp_path)
    assert [record.camid for record in dataset.query] == [0, 1]
    assert [record.camid for record in dataset.train] == [1, 2, 3]  # of one numbering with the queries


def test_junk_is_dropped_and_distractors_stay(tmp_path, market):
    market(tmp_path / "market1501")
    assert [record.pid for record in Market1501(tmp_path).gallery] == [0, 1]
    assert [record.pid for record in Market1501(tmp_path, keep_junk=True).gallery] == [-1, 0, 1]
