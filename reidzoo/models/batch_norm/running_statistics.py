"""Moves the running statistics of batches: at once, later in one go, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import distributed

from reidzoo.distributed import world_size

__all__ = [
    "deferred_statistics", "immediate_statistics", "joint_statistics", "kept_statistics", "move", "move_waiting",
    "moves",
]  # fmt: skip


class HasRunningStatistics(Protocol):
    """A batch norm whose running statistics can be moved."""

    def update(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards ``mean`` and the unbiased ``variance``, both (C,)."""


class Moves:
    """Moves the running statistics of batches: at once, later in one go, or not at all.

    Attributes:
        kept: they stay as they are.
        waiting: what is to be moved later, in the order of the forward passes; None where nothing waits.
    """

    def __init__(self) -> None:
        self.kept = False
        self.waiting: list[tuple[HasRunningStatistics, torch.Tensor]] | None = None


moves = Moves()


@contextlib.contextmanager
def kept_statistics() -> Iterator[None]:
    """Freeze running statistics inside the block; a second forward pass must not update them again."""
    before, moves.kept = moves.kept, True
    try:
        yield
    finally:
        moves.kept = before


@contextlib.contextmanager
def _collecting(waiting: list[tuple[HasRunningStatistics, torch.Tensor]] | None) -> Iterator[Any]:
    """Collect what is to be moved inside in ``waiting``; yield what it was collected in before."""
    outer, moves.waiting = moves.waiting, waiting
    try:
        yield outer
    finally:
        moves.waiting = outer


@contextlib.contextmanager
def joint_statistics() -> Iterator[None]:
    """Take what is forwarded inside as one batch: its groups move the running statistics of group norms once.

    Norms over whole batches take each forward pass for a batch of its own.
    """
    with _collecting([]) as outer:
        yield
        joint: dict[HasRunningStatistics, torch.Tensor] = {}
        for norm, sums in moves.waiting or ():
            joint[norm] = joint[norm] + sums if norm in joint else sums
        if outer is None:
            move(list(joint.items()))
        else:
            outer += joint.items()


@contextlib.contextmanager
def deferred_statistics() -> Iterator[None]:
    """Move the running statistics of group norms at the end, over all processes in one transfer.

    A norm whose running statistics are used inside, in evaluation mode, moves all that wait first.
    """
    with _collecting([]):
        yield
        move_waiting()


@contextlib.contextmanager
def immediate_statistics() -> Iterator[None]:
    """Move running statistics within each forward pass, as kernels that are recorded have to."""
    with _collecting(None):
        yield


def move_waiting() -> None:
    """Move all running statistics that wait."""
    if moves.waiting:
        waiting, moves.waiting = moves.waiting, []
        move(waiting)


@torch.no_grad()
def move(waiting: list[tuple[HasRunningStatistics, torch.Tensor]]) -> None:
    """Move each norm's running statistics towards its sums, those of all processes."""
    if world_size() > 1 and waiting:
        flat = torch.cat([sums for _, sums in waiting])
        distributed.all_reduce(flat)
        waiting = list(zip((norm for norm, _ in waiting), flat.split([len(sums) for _, sums in waiting])))
    for norm, sums in waiting:
        norm.update(*(sums[:-1] / sums[-1]).chunk(2))
