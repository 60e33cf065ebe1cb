from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER


def make(counts, batch_size=16, **arguments):
    """A sampler for identities with so many images under cameras 2 pid and 2 pid + 1."""
    rows = [(pid, 2 * pid + side) for pid, sides in enumerate(counts) for side in (0, 1) for _ in range(sides[side])]
    pids, camids = np.array(rows).T
    node = {"type": "ViewPairSampler", "num_instances": 4, **arguments}
    data = SimpleNamespace(pids=pids, camids=camids, domains=0 * pids)
    return SAMPLER.build(node, data=data, batch_size=batch_size), pids, camids


def test_every_identity_anchors_a_batch_of_balanced_pairs():
    sampler, pids, camids = make([(3, 5)] * 7)
    batches = sampler.batches(seed=0, epoch=0)
    assert len(batches) == 7
    assert sorted(pids[batch[0]] for batch in batches) == list(range(7))
    for batch in batches:
        assert len(np.unique(batch)) == 16  # enough images: none twice
        for own in batch.reshape(4, 4):
            assert len(set(pids[own])) == 1
            first, second = camids[own[::2]], camids[own[1::2]]  # by turns, so that any even share is balanced
            assert len(set(first)) == len(set(second)) == 1 and first[0] != second[0]
        assert len(set(pids[batch])) == 4


def test_every_identity_is_drawn_beside_the_anchors():
    sampler, pids, _ = make([(2, 2)] * 9)
    seen = {(pids[batch[0]], pid) for epoch in range(20) for batch in sampler.batches(0, epoch) for pid in pids[batch]}
    assert len(seen) == 81


def test_few_images_are_repeated():
    sampler, pids, _ = make([(1, 3)] * 4, num_instances=8, batch_size=32)
    (batch, *_) = sampler.batches(seed=0, epoch=0)
    for own in batch.reshape(4, 8):
        alone, three = own[::2], own[1::2]
        assert len(set(alone)) == 1 and len(set(three)) == 3
        assert len(set(pids[own])) == 1


def test_it_depends_on_seed_and_epoch_alone_and_starts_over():
    sampler, _, _ = make([(2, 2)] * 5)
    other, _, _ = make([(2, 2)] * 5)
    assert np.array_equal(sampler.batches(1, 2, 12), other.batches(1, 2, 12))
    assert not np.array_equal(sampler.batches(1, 2), sampler.batches(1, 3))
    assert len(sampler.batches(1, 2, 12)) == 12


def test_junk_is_not_drawn():
    pids = np.array([0, 0, -1, 1, 1])
    node = {"type": "ViewPairSampler", "num_instances": 2}
    data = SimpleNamespace(pids=pids, camids=np.array([0, 1, 0, 0, 1]), domains=0 * pids)
    sampler = SAMPLER.build(node, data=data, batch_size=4)
    assert 2 not in np.concatenate(sampler.batches(0, 0))


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="multiple of 2"):
        make([(2, 2)] * 5, num_instances=3, batch_size=15)
    with pytest.raises(ConfigError, match="two or more times"):
        make([(2, 2)] * 5, num_instances=16)
    with pytest.raises(DatasetError, match="TwoViews"):
        make([(2, 2)] * 4 + [(2, 0)])
    with pytest.raises(DatasetError, match="takes 4 identities and there are 3"):
        make([(2, 2)] * 3)
