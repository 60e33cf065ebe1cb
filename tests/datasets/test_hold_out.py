from __future__ import annotations

import pytest

from reidzoo.datasets import HoldOut, Market1501, TrainSet
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET

IMAGES = {1: 4, 2: 1, 5: 3, 9: 6}


@pytest.fixture
def root(tmp_path, market):
    names = [f"{pid:04d}_c{n % 3 + 1}s1_{n:06d}_00.jpg" for pid, count in IMAGES.items() for n in range(count)]
    junk = ["-1_c1s1_000009_00.jpg", "-1_c2s1_000010_00.jpg"]
    rest = {"query": ["0100_c1s1_000001_00.jpg"], "bounding_box_test": ["0100_c2s1_000001_00.jpg"]}
    market(tmp_path / "market1501", {"bounding_box_train": names + junk, **rest})
    return tmp_path


def parts(root, **arguments):
    node = {"type": "HoldOut", "dataset": "Market1501", **arguments}
    return [DATASET.build({**node, "part": part}, root=root) for part in ("train", "val")]


def test_one_image_of_each_identity_and_nothing_lost(root):
    train, val = parts(root)
    assert sorted(train.train + val.train) == sorted(Market1501(root).train)
    assert not set(train.train) & set(val.train)
    assert sorted(record.pid for record in val.train) == [1, 5, 9]
    assert {record.pid for record in train.train} == {-1, 1, 2, 5, 9}
    assert val.query == train.query == Market1501(root).query and val.name == "Market1501"
    assert TrainSet([train]).num_classes == 4


def test_the_draw_depends_on_the_seed_alone(root):
    held = {seed: [record.path for record in parts(root, seed=seed)[1].train] for seed in range(8)}
    assert held[0] == [record.path for record in parts(root)[1].train]
    assert len({tuple(paths) for paths in held.values()}) > 4


def test_more_images_but_never_an_identitys_last(root):
    train, val = parts(root, per_identity=3)
    counts = {pid: sum(record.pid == pid for record in val.train) for pid in IMAGES}
    assert counts == {1: 3, 2: 0, 5: 2, 9: 3}
    assert {record.pid for record in train.train} == {-1, *IMAGES}


def test_one_image_of_each_identity_leaves_none_to_hold_out(tmp_path, market):
    names = [f"{pid:04d}_c1s1_000001_00.jpg" for pid in IMAGES]
    rest = {"query": ["0100_c1s1_000001_00.jpg"], "bounding_box_test": ["0100_c2s1_000001_00.jpg"]}
    market(tmp_path / "market1501", {"bounding_box_train": names, **rest})
    for part in parts(tmp_path):
        with pytest.raises(DatasetError, match="no identity has two training images"):
            _ = part.train


@pytest.mark.parametrize("arguments", [{"part": "test"}, {"per_identity": 0}, {"seed": -1}])
def test_wrong_arguments(root, arguments):
    with pytest.raises(ConfigError, match=r"HoldOut: .* must be"):
        HoldOut("Market1501", root=root, **arguments)
