from __future__ import annotations

import pytest

from reidzoo.datasets import CUHK03, Market1501, TwoViews
from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import DATASET


def views_of(dataset):
    """Return pid -> {view: set of cameras}."""
    found = {}
    for record in dataset.train:
        found.setdefault(record.pid, {}).setdefault(record.viewid, set()).add(record.camid)
    return found


def test_two_random_cameras_of_each_identity(tiny_root):
    plain = Market1501(tiny_root)
    found = views_of(DATASET.build({"type": "TwoViews", "dataset": "Market1501"}, root=tiny_root))
    assert found.keys() == {record.pid for record in plain.train}
    assert all(view.keys() == {0, 1} and all(len(c) == 1 for c in view.values()) for view in found.values())
    assert all(view[0] != view[1] for view in found.values())
    assert len({tuple(sorted((v, *c) for v, c in view.items())) for view in found.values()}) > 3  # of 3 x 2
    kept = TwoViews("Market1501", root=tiny_root).train
    assert len(kept) == 2 * len(plain.train) // 3  # all images of two cameras of three
    assert {record._replace(viewid=-1) for record in kept} < set(plain.train)


def test_what_has_no_pair_can_be_kept(tiny_root):
    dataset = TwoViews("Market1501", unpaired=True, root=tiny_root)
    assert [r._replace(viewid=-1) for r in dataset.train] == Market1501(tiny_root).train
    assert [r for r in dataset.train if r.viewid >= 0] == TwoViews("Market1501", root=tiny_root).train


def test_the_draw_depends_on_seed_and_identity_alone(tiny_root):
    whole = views_of(TwoViews("Market1501", root=tiny_root))
    half = {"type": "HoldOutIdentities", "dataset": "Market1501", "held_out": 6}
    for part in ("train", "val"):
        found = views_of(TwoViews({**half, "part": part}, root=tiny_root))
        assert found.items() <= whole.items() and len(found) == 6
    assert views_of(TwoViews("Market1501", seed=1, root=tiny_root)) != whole


def test_two_cameras_are_the_views(tiny_root):
    dataset = TwoViews("CUHK03", views="camera", root=tiny_root)
    assert all(record.viewid == record.camid for record in dataset.train)
    assert dataset.query == CUHK03(tiny_root).query and dataset.protocol == "cuhk03" and dataset.repeats == 20
    with pytest.raises(ConfigError, match="Market1501 has 3 cameras"):
        _ = TwoViews("Market1501", views="camera", root=tiny_root).train


def test_one_camera_is_no_pair(tmp_path):
    folder = tmp_path / "market1501"
    for part, names in {
        "bounding_box_train": ["0001_c1s1_000001_00.jpg", "0001_c2s1_000002_00.jpg", "0002_c1s1_000003_00.jpg",
                               "-1_c2s1_000004_00.jpg"],
        "query": ["0009_c1s1_000001_00.jpg"], "bounding_box_test": ["0009_c2s1_000001_00.jpg"],
    }.items():  # fmt: skip
        (folder / part).mkdir(parents=True)
        for name in names:
            (folder / part / name).touch()
    assert {record.pid for record in TwoViews("Market1501", root=tmp_path).train} == {1}


def test_no_identity_with_two_cameras_is_named(tmp_path):
    folder = tmp_path / "market1501"
    for part in ("bounding_box_train", "query", "bounding_box_test"):
        (folder / part).mkdir(parents=True)
        (folder / part / "0001_c1s1_000001_00.jpg").touch()
    with pytest.raises(DatasetError, match="no training identity of Market1501 is seen by two cameras"):
        _ = TwoViews("Market1501", root=tmp_path).train


def test_wrong_arguments(tiny_root):
    with pytest.raises(ConfigError, match=r"TwoViews: .* must be"):
        TwoViews("Market1501", views="first", root=tiny_root)
