from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.registry import SAMPLER
from reidzoo.samplers import BatchSampler, ShuffleSampler


def images(count):
    """Stands for a training set of as many identities as images."""
    return SimpleNamespace(pids=np.arange(count), camids=np.zeros(count), domains=np.zeros(count))


def test_passes_restart_and_drop_the_rest():
    sampler = ShuffleSampler(images(10), batch_size=4)
    assert len(sampler.batches(0, 0)) == 2
    five = sampler.batches(0, 0, 5)
    assert [len(rows) for rows in five] == [4] * 5
    for first in (0, 2):
        assert len(np.unique(np.concatenate(five[first : first + 2]))) == 8


def test_fewer_batches_are_the_first_of_more():
    sampler = ShuffleSampler(images(10), batch_size=4)
    more = sampler.batches(1, 2, 7)
    for few, many in zip(sampler.batches(1, 2, 3), more[:3], strict=True):
        assert (few == many).all()


def test_depends_on_seed_and_epoch_alone():
    sampler = ShuffleSampler(images(40), batch_size=40)
    again = ShuffleSampler(images(40), batch_size=40)
    sampler.batches(5, 5)
    assert (sampler.batches(1, 2)[0] == again.batches(1, 2)[0]).all()
    assert (sampler.batches(1, 2)[0] != sampler.batches(1, 3)[0]).any()
    assert (sampler.batches(1, 2)[0] != sampler.batches(2, 2)[0]).any()


def test_wrong_arguments():
    sampler = ShuffleSampler(images(4), batch_size=2)
    for arguments in ((-1, 0), (0, -1), (0, 0, -1)):
        with pytest.raises(ConfigError):
            sampler.batches(*arguments)
    with pytest.raises(ConfigError, match="batch_size"):
        BatchSampler(images(1), 0)


@pytest.mark.parametrize("count", [0, 3])
def test_a_pass_without_a_whole_batch_does_not_go_on_for_ever(count):
    class Short(BatchSampler):
        def one_pass(self, rng):
            return [0, 1]

    with pytest.raises(DatasetError, match="Short: a pass gave 2 images, and a batch takes 3"):
        Short(images(4), 3).batches(0, 0, count)
    assert len(Short(images(4), 2).batches(0, 0, 3)) == 3


def test_a_sampler_of_the_former_signature_is_told_the_present_one():
    class FormerSampler:
        def __init__(self, pids, camids, domains, batch_size, num_instances=4): ...

    SAMPLER.register_module(module=FormerSampler)
    try:
        with pytest.raises(ConfigError, match=r"'pids'\. It is called as FormerSampler\(data=..., batch_size=..."):
            SAMPLER.build({"type": "FormerSampler", "num_instances": 2}, data=images(4), batch_size=2)
    finally:
        del SAMPLER.module_dict["FormerSampler"]
