from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from reidzoo.registry import SAMPLER


def batches(sampler, pids, **node):
    data = SimpleNamespace(pids=pids, camids=np.arange(len(pids)) % 3, domains=np.zeros_like(pids))
    return SAMPLER.build({"type": sampler, **node}, data=data, batch_size=8).batches(seed=1, epoch=2, count=5)


def test_labels_are_drawn_by_identity():
    pids = np.arange(60) // 6
    np.testing.assert_array_equal(batches("SourceTargetSampler", pids), batches("IdentitySampler", pids))
    for batch in batches("SourceTargetSampler", pids, num_instances=2):
        assert (np.unique(pids[batch], return_counts=True)[1] == 2).all()


def test_junk_among_labels_is_no_unlabelled_set():
    pids = np.append(np.arange(60) // 6, [-1] * 6)
    np.testing.assert_array_equal(batches("SourceTargetSampler", pids), batches("IdentitySampler", pids))


def test_no_labels_are_shuffled():
    rows = np.concatenate(batches("SourceTargetSampler", np.full(40, -1)))
    assert sorted(rows) == list(range(40))
