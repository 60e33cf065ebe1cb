from __future__ import annotations

import numpy as np
import pytest

from reidzoo.errors import ConfigError
from reidzoo.samplers import BatchSampler, ShuffleSampler


def test_passes_restart_and_drop_the_rest():
    sampler = ShuffleSampler(np.arange(10), np.zeros(10), np.zeros(10), batch_size=4)
    assert len(sampler.batches(0, 0)) == 2
    five = sampler.batches(0, 0, 5)
    assert [len(rows) for rows in five] == [4] * 5
    for first in (0, 2):
        assert len(np.unique(np.concatenate(five[first : first + 2]))) == 8


def test_fewer_batches_are_the_first_of_more():
    sampler = ShuffleSampler(np.arange(10), np.zeros(10), np.zeros(10), batch_size=4)
    more = sampler.batches(1, 2, 7)
    for few, many in zip(sampler.batches(1, 2, 3), more):
        assert (few == many).all()


def test_depends_on_seed_and_epoch_alone():
    sampler = ShuffleSampler(np.arange(40), np.zeros(40), np.zeros(40), batch_size=40)
    again = ShuffleSampler(np.arange(40), np.zeros(40), np.zeros(40), batch_size=40)
    sampler.batches(5, 5)
    assert (sampler.batches(1, 2)[0] == again.batches(1, 2)[0]).all()
    assert (sampler.batches(1, 2)[0] != sampler.batches(1, 3)[0]).any()
    assert (sampler.batches(1, 2)[0] != sampler.batches(2, 2)[0]).any()


def test_wrong_arguments():
    sampler = ShuffleSampler(range(4), range(4), range(4), batch_size=2)
    for arguments in ((-1, 0), (0, -1), (0, 0, -1)):
        with pytest.raises(ConfigError):
            sampler.batches(*arguments)
    with pytest.raises(ConfigError, match="batch_size"):
        BatchSampler([0], [0], [0], 0)
    with pytest.raises(ValueError, match="equally long"):
        BatchSampler([0, 1], [0], [0, 1], 1)
