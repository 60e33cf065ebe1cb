"""Queries shared among the processes of torch.distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.distributed


def my_slice(count: int, block: int, shard: bool) -> tuple[int, int]:
    """Return the first and last + 1 of the ``count`` queries that this process takes.

    Slices are consecutive and begin at multiples of ``block``, so that every process computes blocks that one process
    alone would compute too, bit for bit.
    """
    if not shard or not torch.distributed.is_initialized():
        return 0, count
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    mine = np.array_split(np.arange(-(-count // block)), world)[rank]
    return (int(mine[0]) * block, min(int(mine[-1] + 1) * block, count)) if len(mine) else (count, count)


def gather(value: Any, shard: bool) -> list[Any]:
    """Return the ``value`` of every process, in the order of ranks."""
    if not shard or not torch.distributed.is_initialized():
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values
