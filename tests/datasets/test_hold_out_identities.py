from __future__ import annotations

import logging

import pytest

from reidzoo.datasets import HoldOutIdentities, Market1501
from reidzoo.errors import ConfigError
from reidzoo.registry import DATASET


@pytest.fixture
def root(tmp_path, market):
    names = [f"{pid:04d}_c{n % 3 + 1}s1_{n:06d}_00.jpg" for pid in range(1, 21) for n in range(1 + pid % 3)]
    rest = {"query": ["0100_c1s1_000001_00.jpg"], "bounding_box_test": ["0100_c2s1_000001_00.jpg"]}
    market(tmp_path / "market1501", {"bounding_box_train": [*names, "-1_c1s1_000009_00.jpg"], **rest})
    return tmp_path


def parts(root, **arguments):
    node = {"type": "HoldOutIdentities", "dataset": "Market1501", **arguments}
    return [DATASET.build({**node, "part": part}, root=root) for part in ("train", "val")]


def pids(dataset):
    return {record.pid for record in dataset.train}


def test_identities_are_apart_with_all_their_images(root):
    train, val = parts(root, held_out=6)
    assert len(pids(val)) == 6 and len(pids(train)) == 14 and not pids(train) & pids(val)
    whole = [record for record in Market1501(root).train if record.pid != -1]
    assert sorted(train.train + val.train) == sorted(whole)
    assert val.query == train.query == Market1501(root).query and train.name == "Market1501"


def test_the_rest_may_be_cut(root):
    train, val = parts(root, held_out=6, kept=10)
    assert len(pids(train)) == 10 and pids(val) == pids(parts(root, held_out=6)[1])
    assert not pids(train) & pids(val)


def test_a_small_dataset_keeps_half(root):
    train, val = parts(root, held_out=100, kept=650)
    assert len(pids(train)) == len(pids(val)) == 10


def test_the_draw_depends_on_the_seed_alone(root):
    held = {seed: frozenset(pids(parts(root, held_out=6, seed=seed)[1])) for seed in range(6)}
    assert held[0] == pids(parts(root, held_out=6)[1]) and len(set(held.values())) > 3


def test_published_splits(tmp_path, market, caplog):
    """Market-1501's 751 training identities give the 650 and 100 of Wu et al. (arXiv 1904.01755)."""
    names = [f"{pid:04d}_c1s1_000000_00.jpg" for pid in range(1, 752)]
    market(tmp_path / "market1501", {"bounding_box_train": names, "query": names[:1], "bounding_box_test": names[:1]})
    with caplog.at_level(logging.ERROR):
        train, val = parts(tmp_path, held_out=100, kept=650)
        assert (len(pids(train)), len(pids(val))) == (650, 100)


@pytest.mark.parametrize("arguments", [{"part": "test"}, {"held_out": 0}, {"kept": -1}, {"seed": -1}])
def test_wrong_arguments(root, arguments):
    with pytest.raises(ConfigError, match=r"HoldOutIdentities: .* must be"):
        HoldOutIdentities("Market1501", root=root, **arguments)
