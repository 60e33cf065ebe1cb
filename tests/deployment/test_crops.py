"""Crops are found in folders, lists and datasets, and rendered where there are none."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from reidzoo.datasets import Record
from reidzoo.deployment.crops import _identities, find_crops, image_files
from reidzoo.errors import DatasetError, UserError


@pytest.fixture
def cfg(make_model):
    return make_model().config


def test_a_folder_of_images_has_no_labels(crops, cfg):
    folder = Path(crops.query[0]).parent
    with find_crops(str(folder), "", cfg, 100) as found:
        assert sorted(found.paths) == sorted(crops.paths) and found.pids is None and not found.gallery
    assert len(image_files(folder, 10)) == 8, "thinned evenly, not cut off"
    assert image_files(folder, 100) == sorted(crops.paths)


def test_people_in_folders_have_labels(tiny_root, cfg):
    with find_crops(str(tiny_root / "crops"), "", cfg, 1000) as found:
        assert len(found.query) == 24 and len(found.gallery) == 48 and len(found.pids) == len(found.camids) == 72
    with find_crops(str(tiny_root / "crops"), "", cfg, 20) as found:
        count = len(found.query)
        assert 0 < len(found.paths) <= 20 and set(found.pids[:count]) == set(found.pids[count:]), "whole people"


@pytest.mark.parametrize("most, kept", [(1, {1}), (5, {1, 0}), (6, {1, 2}), (7, {1, 2, 9}), (99, {1, 2, 3, 0, 9})])
def test_whole_identities_are_kept_and_distractors_where_there_is_room(most, kept):
    query, gallery = ([Record("x.jpg", pid, 0) for pid in pids] for pids in ((1, 2, 3), (1, 1, 2, 2, 3, 3, 0, 0, 9)))
    assert _identities(query, gallery, most) == kept


def test_a_dataset_and_a_list(tiny_root, cfg, tmp_path, crops):
    with find_crops("Market1501", str(tiny_root), cfg, 1000) as found:
        assert found.title == "Market1501 twin" and found.gallery
    with open(tmp_path / "list.csv", "w", newline="") as file:
        rows = [(path, pid, 0, "train") for path, pid in zip(crops.paths, crops.pids)]
        csv.writer(file).writerows([("path", "pid", "camid", "split"), *rows])
    with find_crops(str(tmp_path / "list.csv"), "", cfg, 1000) as found:
        assert sorted(found.query) == sorted(crops.paths) and found.pids is None, "training images have nothing to rank"


def test_mistakes(cfg, tmp_path):
    with pytest.raises(UserError, match="holds no image"), find_crops(str(tmp_path), "", cfg, 10):
        pass
    with pytest.raises(DatasetError, match="not found"), find_crops("Market1501", str(tmp_path), cfg, 10):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("trained_on", ["Market1501", "VeRi776"])
def test_some_are_rendered_where_there_are_none(make_model, trained_on):
    cfg = make_model().config
    cfg.DATASETS.TESTS = [trained_on]
    with find_crops("", "", cfg, 60) as found:
        assert 0 < len(found.paths) <= 60 and found.pids and trained_on in found.title
        folder = Path(found.paths[0])
        assert folder.is_file()
    assert not folder.exists(), "they are deleted"
