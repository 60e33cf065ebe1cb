"""The sampler that goes through all images of an identity, by what its definition says of every pass."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 20]
PIDS = np.concatenate([*(np.full(size, pid) for pid, size in enumerate(SIZES)), [-1, -1]])


def build(batch_size=12, num_instances=4, pids=PIDS):
    data = SimpleNamespace(pids=pids, camids=np.zeros(len(pids)), domains=np.zeros(len(pids)))
    node = {"type": "NaiveIdentitySampler", "num_instances": num_instances}
    return SAMPLER.build(node, data=data, batch_size=batch_size)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 4])
def test_a_pass_is_what_the_definition_says(seed, count):
    """Replayed as its authors' loop: groups of each identity are handed out until fewer than P identities have one."""
    left = {pid: max(size // count, 1) for pid, size in enumerate(SIZES)}
    drawn: dict[int, list[int]] = {pid: [] for pid in left}
    wanted = 12 // count
    batches = build(num_instances=count).batches(seed, 0)
    for batch in batches:
        assert sum(groups > 0 for groups in left.values()) >= wanted
        groups = batch.reshape(wanted, count)
        owners = PIDS[groups[:, 0]]
        assert (PIDS[groups] == owners[:, None]).all() and len(set(owners.tolist())) == wanted
        for pid, rows in zip(owners.tolist(), groups.tolist()):
            assert left[pid] > 0
            left[pid] -= 1
            drawn[pid] += rows
    assert sum(groups > 0 for groups in left.values()) < wanted
    for pid, rows in drawn.items():
        assert SIZES[pid] < count or len(set(rows)) == len(rows)


def test_every_image_is_as_likely():
    sampler, counts = build(batch_size=16), Counter()
    for epoch in range(400):
        counts.update(np.concatenate(sampler.batches(0, epoch)).tolist())
    nine = [counts[row] for row in np.flatnonzero(PIDS == 7)]  # two of nine groups of four: eight of nine images
    assert max(nine) < 1.3 * min(nine)


def test_of_few_images_each_is_drawn_again_as_often_as_the_others():
    sampler, counts, kinds = build(), Counter(), Counter()
    for epoch in range(200):
        groups = np.concatenate(sampler.batches(0, epoch)).reshape(-1, 4)
        for group in groups[PIDS[groups[:, 0]] == 2].tolist():  # of three images
            counts.update(group)
            kinds[len(set(group))] += 1
    assert len(counts) == 3 and max(counts.values()) < 1.3 * min(counts.values())
    assert kinds[1] < 0.1 * kinds.total() and min(kinds[2], kinds[3]) > 0.3 * kinds.total()  # 3, 42 and 36 in 81


def test_passes_go_on_as_long_as_asked():
    sampler = build()
    assert len(sampler.batches(0, 0, 50)) == 50 > len(sampler.batches(0, 0))


def test_large_sets_take_seconds():
    pids = np.repeat(np.arange(20000), 10)
    assert len(build(64, 4, pids).batches(0, 0)) > 2000


def test_wrong_sizes():
    assert len(build(40).batches(0, 0)) == 1
    with pytest.raises(ConfigError, match="multiple of num_instances, got 10 and 4"):
        build(10)
    with pytest.raises(DatasetError, match="a batch of 44 takes 11 identities with 4 images each, and there are 10"):
        build(44)
    with pytest.raises(DatasetError, match="there are 0"):
        build(4, pids=np.full(8, -1))
