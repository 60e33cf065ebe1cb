"""The contract of a SAMPLER."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from reidzoo.registry import SAMPLER
from reidzoo.testing.contract import Contract

__all__ = ["Columns", "check_sampler"]

Batches = Sequence[np.ndarray]


class Columns:
    """The labels of 56 images as samplers see them: seven identities in two domains, two cameras each, some junk."""

    def __init__(self) -> None:
        numbers = np.arange(56)
        self.pids = np.where(numbers < 48, numbers // 8, -1)
        self.pids[0] = 6  # an identity of one image
        self.camids = numbers % 2
        self.domains = (numbers // 24).clip(max=1)
        self.timeids, self.viewids = numbers % 3, numbers % 2

    def __len__(self) -> int:
        return len(self.pids)


def check_sampler(part: Any, data: Any = None, batch_size: int = 8, junk: bool = False) -> None:
    """Check that a sampler keeps its contract.

    Args:
        part: the SAMPLER: its node or its class, without ``data`` and ``batch_size``; or itself, built with these.
        data: the training set it draws from, a ``TrainSet`` or another object with its columns; ``Columns()`` if None.
        batch_size: images per batch.
        junk: it draws images of identity -1 too.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    data = Columns() if data is None else data
    with Contract(SAMPLER, part) as contract:
        before = copy.deepcopy({name: getattr(data, name) for name in ("pids", "camids", "domains")})
        sampler = contract.build(data=data, batch_size=batch_size)
        one_pass = _draw(contract, sampler, 0, 0, 0)
        changed = [name for name, values in before.items() if not np.array_equal(values, getattr(data, name))]
        contract.require(not changed, "it leaves the training set as it is", f"{', '.join(changed)} changed")
        contract.require(len(one_pass) > 0, "count=0 means one pass, at least one batch", "there is none")
        allowed = np.flatnonzero((np.asarray(data.pids) != -1) | junk)
        for count in (0, 1, len(one_pass) + 2):
            _check_batches(contract, _draw(contract, sampler, 3, 1, count), count, batch_size, len(data.pids), allowed)
        _check_repeatable(contract, sampler, data, batch_size, len(one_pass) + 2)


def _draw(contract: Contract, sampler: Any, seed: int, epoch: int, count: int) -> Batches:
    """Return the batches of one call, which may not touch global generators."""
    clause = "batches come from (seed, epoch, count) alone"
    with contract.clause(f"batches({seed}, {epoch}, {count}) returns batches"), contract.no_draws(clause):
        batches = sampler.batches(seed, epoch, count)
    contract.require(isinstance(batches, list), "batches returns a list of arrays", f"it is {type(batches).__name__}")
    return batches


def _check_batches(
    contract: Contract, batches: Batches, count: int, size: int, images: int, allowed: np.ndarray
) -> None:
    """Check how many batches there are, and which rows they hold."""
    if count:
        contract.require(len(batches) == count, "it gives as many batches as asked for", f"{len(batches)} of {count}")
    for batch in batches:
        whole = isinstance(batch, np.ndarray) and np.issubdtype(batch.dtype, np.integer)
        contract.require(whole, "a batch is an array of integers", f"it is {getattr(batch, 'dtype', type(batch))}")
        contract.require(batch.shape == (size,), "a batch has batch_size rows", f"{batch.shape}, not ({size},)")
        inside = bool((batch >= 0).all() and (batch < images).all())
        contract.require(inside, f"rows are in [0, {images})", f"{batch.min()} to {batch.max()}")
    nobody = np.setdiff1d(np.concatenate(batches), allowed).tolist()
    contract.require(not nobody, "images of identity -1 are not drawn", f"rows {nobody} were")


def _check_repeatable(contract: Contract, sampler: Any, data: Any, batch_size: int, count: int) -> None:
    """Check that what was drawn before, and in which process, makes no difference, and that seed and epoch do."""
    clause = "the same call gives the same batches"
    first = _draw(contract, sampler, 3, 1, count)
    for other, when in (
        (sampler, "again"),
        (contract.build(seed=7, data=data, batch_size=batch_size), "of another one"),
    ):
        equal = all(np.array_equal(a, b) for a, b in zip(first, _draw(contract, other, 3, 1, count), strict=True))
        contract.require(equal, clause, f"asked {when}, batches(3, 1, {count}) gives others")
    for seed, epoch, what in ((4, 1, "seed"), (3, 2, "epoch")):
        others = _draw(contract, sampler, seed, epoch, count)
        equal = all(np.array_equal(a, b) for a, b in zip(first, others))
        contract.require(not equal, f"another {what} gives other batches", "they are the same")
