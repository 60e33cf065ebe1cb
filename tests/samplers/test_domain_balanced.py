from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER

PIDS = np.concatenate([np.repeat(np.arange(40), 4), np.repeat(np.arange(40, 48), 4), [-1]])
DOMAINS = np.array([0] * 160 + [1] * 32 + [2])


def build(batch_size, num_instances=4):
    node = {"type": "DomainBalancedSampler", "num_instances": num_instances}
    data = SimpleNamespace(pids=PIDS, camids=np.arange(len(PIDS)) % 4, domains=DOMAINS)
    return SAMPLER.build(node, data=data, batch_size=batch_size)


def test_every_batch_has_the_same_share():
    batches = build(32).batches(0, 0)
    assert len(batches) == 10
    for rows in batches:
        assert (DOMAINS[rows] == np.repeat([0, 1], 16)).all()
        assert (np.unique(PIDS[rows], return_counts=True)[1] == 4).all()
    assert sorted(np.unique(PIDS[np.concatenate(batches)])) == list(range(48))


def test_count_and_seed():
    sampler = build(32)
    batches = sampler.batches(0, 1, 23)
    assert len(batches) == 23
    assert all((a == b).all() for a, b in zip(batches, build(32).batches(0, 1, 23)))
    assert any((a != b).any() for a, b in zip(batches, sampler.batches(0, 2, 23)))


def test_fewer_batches_are_the_first_of_more_and_the_labels_stay():
    before = PIDS.copy()
    data = SimpleNamespace(pids=PIDS, camids=np.zeros(len(PIDS)), domains=DOMAINS)
    sampler = SAMPLER.build({"type": "DomainBalancedSampler"}, data=data, batch_size=32)
    for few, many in zip(sampler.batches(1, 2, 3), sampler.batches(1, 2, 12)[:3], strict=True):
        assert (few == many).all()
    assert data.pids is PIDS and (before == PIDS).all()


def test_wrong_sizes():
    with pytest.raises(ConfigError, match="4 images x 2 domains, got 12"):
        build(12)
    with pytest.raises(DatasetError, match="8 identities"):
        build(80)
