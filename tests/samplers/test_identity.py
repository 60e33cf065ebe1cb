from __future__ import annotations

import itertools
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers import IdentitySampler

K = 4


def images(pids, camids):
    """Stands for a training set of one domain."""
    return SimpleNamespace(pids=pids, camids=camids, domains=np.zeros(len(pids)))


def one_pass(pids, camids, epoch=0, batch_size=K):
    sampler = IdentitySampler(images(pids, camids), batch_size, K)
    return sampler.one_pass(np.random.default_rng(epoch)), sampler


def groups(rows, pids):
    """Split a pass where the identity changes."""
    ends = np.flatnonzero(np.diff(pids[rows])) + 1
    return np.split(rows, ends)


def check_group(group, pids, camids):
    """The rules of the sampler, one identity at a time."""
    anchor, others = group[0], group[1:]
    own = np.flatnonzero(pids == pids[anchor])
    elsewhere = own[camids[own] != camids[anchor]]
    pool = elsewhere if len(elsewhere) else own[own != anchor]
    assert len(others) == (K - 1 if len(pool) else 0)
    assert set(others) <= set(pool)
    if len(pool) >= K:
        assert len(set(others)) == K - 1


def test_every_group_keeps_the_rules():
    rng = np.random.default_rng(0)
    pids = rng.permutation(np.concatenate([np.repeat(np.arange(60), rng.integers(1, 12, 60)), np.full(9, -1)]))
    camids = rng.integers(0, 3, len(pids))
    for epoch in range(20):
        rows, sampler = one_pass(pids, camids, epoch)
        split = groups(rows, pids)
        assert sorted(pids[group[0]] for group in split) == list(range(60))
        assert len(rows) == sampler.images_per_pass
        for group in split:
            check_group(group, pids, camids)


@pytest.mark.slow
def test_choices_are_uniform():
    """Identity 0: anchors over 6 images; from camera 0 the others are 3 of the 4 images of camera 1, in any order."""
    pids, camids = np.zeros(6, dtype=np.int64), np.array([0, 1, 1, 0, 1, 1])
    anchors, triples = Counter(), Counter()
    sampler = IdentitySampler(images(pids, camids), K, K)
    rng = np.random.default_rng(0)
    for _ in range(6000):
        rows = sampler.one_pass(rng)
        anchors[rows[0]] += 1
        if camids[rows[0]] == 0:
            triples[tuple(rows[1:])] += 1
    assert len(anchors) == 6
    assert all(abs(count - 1000) < 150 for count in anchors.values())
    assert len(triples) == 24
    assert all(abs(count - 2000 / 24) < 45 for count in triples.values())


@pytest.mark.slow
def test_draws_with_replacement_from_few():
    pids, camids = np.zeros(4, dtype=np.int64), np.array([0, 1, 1, 1])
    passes = [one_pass(pids, camids, epoch)[0] for epoch in range(1000)]
    seen = {tuple(rows[1:]) for rows in passes if rows[0] == 0}
    assert seen == set(itertools.product((1, 2, 3), repeat=3))


def test_one_camera_never_repeats_the_anchor():
    pids, camids = np.zeros(6, dtype=np.int64), np.zeros(6, dtype=np.int64)
    for epoch in range(50):
        rows, _ = one_pass(pids, camids, epoch)
        assert len(set(rows)) == K


def test_each_pass_has_an_order_of_its_own():
    pids = np.repeat(np.arange(30), 4)
    orders = [pids[one_pass(pids, np.zeros_like(pids), epoch)[0]][::K].tolist() for epoch in (0, 1)]
    assert sorted(orders[0]) == list(range(30)) and list(range(30)) != orders[0] != orders[1]


def test_single_images_come_alone():
    pids = np.array([0, 1, 2, 3, 3, -1])
    rows, _ = one_pass(pids, np.zeros(6, dtype=np.int64))
    assert Counter(pids[rows]) == {0: 1, 1: 1, 2: 1, 3: 4}


def test_batches():
    node = {"type": "IdentitySampler", "num_instances": 2}
    pids = np.repeat(np.arange(10), 3)
    given = {"data": images(pids, np.tile([0, 1, 2], 10)), "batch_size": 8}
    sampler = SAMPLER.build(node, **given)
    batches = sampler.batches(0, 0)
    assert [len(batch) for batch in batches] == [8, 8]
    assert batches[0].dtype == np.int64
    for batch in batches:
        assert list(Counter(pids[batch]).values()) == [2] * 4
    assert len(sampler.batches(0, 0, 7)) == 7
    assert all((a == b).all() for a, b in zip(batches, SAMPLER.build(node, **given).batches(0, 0)))


def test_one_image_per_identity():
    pids = np.arange(8)
    sampler = IdentitySampler(images(pids, pids), 4, num_instances=1)
    assert sorted(np.concatenate(sampler.batches(0, 0))) == list(range(8))


def test_too_few_images_say_the_numbers():
    with pytest.raises(DatasetError, match=r"2 identities with 6 images give 5 .* takes 8; lower .* at most 5"):
        IdentitySampler(images([0] * 5 + [1, -1], [0] * 7), 8)
    with pytest.raises(DatasetError, match="no image has an identity"):
        IdentitySampler(images([-1], [0]), 4)
    with pytest.raises(DatasetError, match="no image has an identity"):
        IdentitySampler(images([], []), 4)


@pytest.mark.parametrize("num_instances", [0, 3])
def test_batch_must_hold_whole_groups(num_instances):
    with pytest.raises(ConfigError, match="num_instances"):
        IdentitySampler(images([0], [0]), 8, num_instances)


def test_batches_of_randperson_take_time_in_proportion_to_the_identities():
    rng = np.random.default_rng(0)
    seconds = []
    for ids in (2000, 8000):
        pids = np.concatenate([np.arange(ids), rng.integers(0, ids, 15 * ids)])
        camids = rng.integers(0, 19, len(pids))
        begin = time.process_time()
        batches = IdentitySampler(images(pids, camids), 64).batches(0, 0, ids // 4)
        seconds.append(time.process_time() - begin)
        assert len(batches) == ids // 4
    assert seconds[1] < 10 * seconds[0]  # four times the identities, images and batches
