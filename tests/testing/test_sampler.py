"""check_sampler: our own samplers pass, and each broken clause is named."""

from __future__ import annotations

import numpy as np
import pytest

from reidzoo.registry import SAMPLER
from reidzoo.testing import ContractError, check_sampler

from .own_parts import own_parts

CASES = [
    ({"type": "ShuffleSampler"}, {}),
    ({"type": "ShuffleSampler", "unlabelled": True}, {"junk": True}),
    ({"type": "IdentitySampler", "num_instances": 4}, {}),
    ({"type": "CameraBalancedSampler", "num_instances": 2}, {}),
    ({"type": "NaiveIdentitySampler", "num_instances": 2}, {}),
    ({"type": "DomainBalancedSampler", "num_instances": 2}, {}),
    ({"type": "SourceTargetSampler", "num_instances": 2}, {"batch_size": 6}),
]


def test_every_sampler_is_checked():
    assert {node["type"] for node, _ in CASES} == own_parts(SAMPLER)


@pytest.mark.parametrize(("node", "further"), CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_our_own(node, further):
    check_sampler(node, **further)


class Theirs:
    """A third party's sampler; subclasses have one defect each."""

    def __init__(self, data, batch_size):
        self.data, self.size = data, batch_size
        self.rows = np.flatnonzero(data.pids >= 0)

    def generator(self, seed, epoch):
        return np.random.default_rng([seed, epoch])

    def batches(self, seed, epoch, count=0):
        rng, found = self.generator(seed, epoch), []
        while not found or len(found) < count:
            rows = rng.permutation(self.rows)
            found += [rows[i : i + self.size] for i in range(0, len(rows) - self.size + 1, self.size)]
        return found[: count or None]


def test_a_third_partys():
    check_sampler(Theirs)


class Empty(Theirs):
    def batches(self, seed, epoch, count=0):
        return super().batches(seed, epoch, count) if count else []


class OnePassOnly(Theirs):
    def batches(self, seed, epoch, count=0):
        return super().batches(seed, epoch, 0)[: count or None]


class Generates(Theirs):
    def batches(self, seed, epoch, count=0):
        yield from super().batches(seed, epoch, count)


class LastBatchTooShort(Theirs):
    def batches(self, seed, epoch, count=0):
        batches = super().batches(seed, epoch, count)
        return batches if count else [*batches, self.rows[:1]]


class BeyondTheEnd(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        self.rows = np.arange(len(data.pids)) + 1


class DrawsJunk(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        self.rows = np.arange(len(data.pids))


class Fractions(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        self.rows = self.rows.astype(float)


class GlobalNumbers(Theirs):
    def generator(self, seed, epoch):
        return np.random.mtrand._rand


class Remembers(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        self.rng = np.random.default_rng(0)

    def generator(self, seed, epoch):
        return self.rng


class OfTheObject(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        self.own = int(np.random.randint(1000))

    def generator(self, seed, epoch):
        return np.random.default_rng([self.own, seed, epoch])


class IgnoresTheEpoch(Theirs):
    def generator(self, seed, epoch):
        return np.random.default_rng(seed)


class IgnoresTheSeed(Theirs):
    def generator(self, seed, epoch):
        return np.random.default_rng(epoch)


class Renumbers(Theirs):
    def __init__(self, data, batch_size):
        super().__init__(data, batch_size)
        data.pids += 1


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Empty, "count=0 means one pass, at least one batch; there is none"),
        (OnePassOnly, "it gives as many batches as asked for; 6 of 8"),
        (Generates, "batches returns a list of arrays; it is generator"),
        (LastBatchTooShort, r"a batch has batch_size rows; \(1,\), not \(8,\)"),
        (BeyondTheEnd, r"rows are in \[0, 56\); .* to 56"),
        (DrawsJunk, "images of identity -1 are not drawn"),
        (Fractions, "a batch is an array of integers; it is float64"),
        (GlobalNumbers, "batches come from .* alone; it drew from the global generator of numpy"),
        (Remembers, "the same call gives the same batches; asked again"),
        (OfTheObject, "the same call gives the same batches; asked of another one"),
        (IgnoresTheEpoch, "another epoch gives other batches"),
        (IgnoresTheSeed, "another seed gives other batches"),
        (Renumbers, "it leaves the training set as it is; pids changed"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"SAMPLER: {cls.__name__} breaks its contract: .*{said}"):
        check_sampler(cls)
