from __future__ import annotations

import numpy as np

from reidzoo.registry import SAMPLER


def batches(sampler, pids):
    camids = np.arange(len(pids)) % 3
    built = SAMPLER.build({"type": sampler}, pids=pids, camids=camids, domains=np.zeros_like(pids), batch_size=8)
    return built.batches(seed=1, epoch=2, count=5)


def test_labels_are_drawn_by_identity():
    pids = np.arange(60) // 6
    np.testing.assert_array_equal(batches("SourceTargetSampler", pids), batches("IdentitySampler", pids))


def test_no_labels_are_shuffled():
    rows = np.concatenate(batches("SourceTargetSampler", np.full(40, -1)))
    assert sorted(rows) == list(range(40))
