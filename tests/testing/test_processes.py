"""Two processes that talk to each other, and what becomes of an error in one."""

from __future__ import annotations

import pytest
import torch

from reidzoo import distributed
from reidzoo.testing import in_two_processes

pytestmark = pytest.mark.slow


def test_they_gather_and_return_by_rank():
    def work(rows, name):
        own = rows[distributed.rank() : distributed.rank() + 1]
        return {name: distributed.gather(own), "rank": distributed.rank(), "size": distributed.world_size()}

    rows = torch.arange(6.0).reshape(2, 3)
    one, other = in_two_processes(work, rows, "all")
    assert (one["rank"], other["rank"], one["size"], other["size"]) == (0, 1, 2, 2)
    assert torch.equal(one["all"], rows) and torch.equal(other["all"], rows)
    assert distributed.world_size() == 1  # here there is no group


def test_an_error_in_one_is_raised_here():
    def work():
        if distributed.rank() == 1:
            raise ValueError("only here")
        distributed.barrier()

    with pytest.raises(RuntimeError, match=r"^in process 1: ValueError: only here"):
        in_two_processes(work)
