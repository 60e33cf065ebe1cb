from __future__ import annotations

import logging

import pytest

from reidzoo.datasets import HoldOutIdentities, Market1501
from reidzoo.errors import ConfigError, DatasetError
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
    assert train.query == Market1501(root).query and train.gallery == Market1501(root).gallery
    assert (train.name, val.name) == ("Market1501", "Market1501 val")


def test_held_out_images_are_query_and_gallery_and_each_query_has_a_match(root):
    """By hand: identity 3n + 1 has images of cameras 1 and 2, 3n + 2 of 1, 2 and 3, and 3n of camera 1 alone."""
    _, val = parts(root, held_out=10)
    assert sorted(val.query + val.gallery) == sorted(val.train)
    cameras = {pid: {record.camid for record in val.train if record.pid == pid} for pid in pids(val)}
    assert {len(seen) for seen in cameras.values()} == {1, 2, 3}
    for pid, seen in cameras.items():
        queries, gallery = ([r for r in side if r.pid == pid] for side in (val.query, val.gallery))
        assert len({r.camid for r in queries}) == len(queries) == len(seen) - 1
        assert all(any(r.camid != query.camid for r in gallery) for query in queries)
    assert val.query == parts(root, held_out=10)[1].query


def test_of_a_camera_with_several_images_one_is_a_query(tmp_path, market):
    names = [f"{pid:04d}_c{camera}s1_{n:06d}_00.jpg" for pid in range(1, 9) for camera in (1, 2) for n in range(3)]
    market(tmp_path / "market1501", {"bounding_box_train": names, "query": names[:1], "bounding_box_test": names[:1]})
    drawn = {parts(tmp_path, held_out=4, seed=seed)[1].query[0].path[-14:] for seed in range(8)}
    assert len(drawn) > 1
    val = parts(tmp_path, held_out=4)[1]
    assert (len(val.query), len(val.gallery)) == (4, 20)


def test_where_cameras_do_not_count_an_image_of_each_identity_of_two_is_a_query(tmp_path, tiny_root):
    node = {"type": "FolderDataset", "folder": "crops", "protocol": "camera_free"}
    val = HoldOutIdentities(node, "val", held_out=5, root=tiny_root)
    assert len(val.query) == len({r.pid for r in val.query}) == 5 and sorted(val.query + val.gallery) == sorted(
        val.train
    )


def test_without_a_second_camera_it_says_so(tmp_path, market):
    names = [f"{pid:04d}_c1s1_{n:06d}_00.jpg" for pid in range(1, 9) for n in range(3)]
    market(tmp_path / "market1501", {"bounding_box_train": names, "query": names[:1], "bounding_box_test": names[:1]})
    val = parts(tmp_path, held_out=4)[1]
    assert len(val.train) == 12
    with pytest.raises(DatasetError, match="Market1501 val: none of 4 held-out identities has images of two cameras"):
        len(val.query)


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
