"""Balance of cameras in every batch, whatever their shares of the set."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER

PIDS = np.concatenate([np.repeat(np.arange(10), 6), np.arange(10), [3, 4, -1]])
CAMIDS = np.array([0] * 60 + [2] * 10 + [5] * 3)  # 60, 10 and 2 images


def build(batch_size=12, num_instances=1, pids=PIDS, camids=CAMIDS):
    data = SimpleNamespace(pids=pids, camids=camids, domains=np.zeros(len(pids)))
    node = {"type": "CameraBalancedSampler", "num_instances": num_instances}
    return SAMPLER.build(node, data=data, batch_size=batch_size)


@pytest.mark.parametrize("batch_size, count", [(12, 1), (12, 2), (10, 1), (8, 2), (9, 3)])
def test_every_camera_has_as_many_groups(batch_size, count):
    turns = batch_size // count
    for batch in build(batch_size, count).batches(1, 0):
        groups = batch.reshape(turns, count)
        assert (PIDS[groups] == PIDS[groups[:, :1]]).all() and (CAMIDS[groups] == CAMIDS[groups[:, :1]]).all()
        cameras = Counter(CAMIDS[groups[:, 0]].tolist())
        assert len(cameras) == 3 and max(cameras.values()) - min(cameras.values()) <= (turns % 3 > 0)


def test_a_pass_goes_through_the_largest_camera_once_and_the_others_start_over():
    rows = np.concatenate(build(12).batches(0, 0))
    counts = Counter(rows.tolist())
    assert {counts[row] for row in range(60)} == {1}
    assert {counts[row] for row in range(60, 70)} == {6} and {counts[row] for row in (70, 71)} == {30}
    assert 72 not in counts


def test_images_of_a_group_differ_where_there_are_enough():
    for batch in build(12, 3).batches(0, 0, 30):
        for group in batch.reshape(-1, 3):
            assert CAMIDS[group[0]] != 0 or len(set(group.tolist())) == 3


def test_cameras_and_people_come_in_an_order_of_each_pass():
    passes = [np.concatenate(build(12).batches(0, epoch)) for epoch in range(8)]
    assert len({int(CAMIDS[rows[0]]) for rows in passes}) > 1
    people = [PIDS[rows[CAMIDS[rows] == 0]].tolist() for rows in passes]
    assert sorted(people[0]) == sorted(people[1]) and sorted(people[0]) != people[0] != people[1]


def test_wrong_sizes():
    assert len(build(180).batches(0, 0)) == 1
    with pytest.raises(ConfigError, match="multiple of num_instances, got 9 and 2"):
        build(9, 2)
    with pytest.raises(DatasetError, match="3 cameras give 180 images in one pass, and a batch takes 200"):
        build(200)
    with pytest.raises(DatasetError, match="0 cameras give 0 images"):
        build(4, pids=np.full(73, -1))
