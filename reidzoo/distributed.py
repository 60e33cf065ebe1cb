"""Makes several processes give what one would: collectives whose gradients are those of the whole batch.

Every rank forwards its slice of the global batch and then computes the *same* loss on the gathered whole. ``gather``
hands each rank the gradient of its own slice, times the number of ranks, and ``average_gradients`` divides by it: for
weights before the gather the ranks' shares add up to the full gradient, for weights after it (a loss with parameters)
the mean of equal gradients is that gradient. Both are what one process computes, so no wrapper such as DDP is needed,
and phases may freeze and thaw what they like.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = [
    "agreed", "any_rank", "average_gradients", "averaged_backward", "barrier", "broadcast_object", "gather",
    "gather_objects", "is_main", "my_slice", "rank", "shutdown", "start", "world_size",
]  # fmt: skip


BUCKET = 2**22
"""Values that are sent together while the backward pass goes on: 16 MiB of float32."""


def start(device: str) -> None:
    """Join the process group that ``torchrun`` announces; without ``torchrun`` do nothing."""
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # With both, what lies on the CPU, such as objects and flags, does not wait for a GPU.
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, timeout=timedelta(minutes=60))


def shutdown() -> None:
    """Leave the process group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        # A thread of gloo drops the tensors of the last collective, for which it may need Python's lock, and the group
        # holds that lock while it waits for the thread to end: seen to hang in torch 2.6. Asleep, this thread has none.
        time.sleep(0.1)
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's number, 0 where there is only one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return how many processes share the work."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_main() -> bool:
    """Return whether this process is the one that writes files and prints."""
    return rank() == 0


def barrier() -> None:
    """Wait until every rank is here."""
    if world_size() > 1:
        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """Return rank 0's ``value`` on every rank."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather_objects(value: Any) -> list[Any]:
    """Return every rank's ``value``, in the order of ranks."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def any_rank(flag: bool) -> bool:
    """Return whether ``flag`` is set on any rank; one number of the CPU's, so cheap enough for each step."""
    if world_size() == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())


def agreed(value: Any) -> bool:
    """Return whether ``value`` reads the same on every rank; two numbers of the CPU's, cheap enough for each step."""
    if world_size() == 1:
        return True
    digest = int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:7], "big")
    ends = torch.tensor([digest, -digest])
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    return ends[0].item() == -ends[1].item()


def my_slice(count: int, block: int) -> tuple[int, int]:
    """Return the first and last + 1 of ``count`` rows that this rank takes.

    Slices are consecutive and begin at multiples of ``block``, so that every rank computes blocks that one process
    alone would compute too, bit for bit.
    """
    if world_size() == 1:
        return 0, count
    mine = np.array_split(np.arange(-(-count // block)), world_size())[rank()]
    return (int(mine[0]) * block, min(int(mine[-1] + 1) * block, count)) if len(mine) else (count, count)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        ctx.rows = local.shape[0]
        parts = [torch.empty_like(local) for _ in range(world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        start_row = rank() * ctx.rows
        return grad[start_row : start_row + ctx.rows] * world_size()


def gather(local: Tensor) -> Tensor:
    """Return the rows (B / ranks, ...) of every rank as one (B, ...) tensor, with gradient; see the module's text."""
    return local if world_size() == 1 else _Gather.apply(local)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the ranks, in one transfer."""
    if world_size() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= world_size()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def averaged_backward(loss: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Set each parameter's ``grad`` to the mean over the ranks of its gradient of ``loss``; no other's is touched.

    A bucket of gradients is sent as soon as it is whole, the last layers' first, while the backward pass goes on. The
    ranks send the same buckets in the same order, also where a parameter has no gradient, in a phase say that does not
    reach it: it is then without one on all of them. Where the loss reaches a parameter on some ranks only, a term say
    of which the others have no image, theirs counts as 0, and nothing is sent before the backward pass has ended.
    """
    for parameter in parameters:
        parameter.grad = None
    if not parameters:
        return
    absent = _reached_elsewhere(loss, parameters)
    alike = absent is None
    buckets = _Buckets(parameters, absent or ())
    # Buckets go between the collectives of batch norms' backward passes, which only like graphs have in like places.
    handles = [p.register_post_accumulate_grad_hook(buckets.note) for p in parameters] if alike else []
    try:
        if alike or loss.requires_grad:
            torch.autograd.backward(loss, inputs=list(parameters))
    finally:
        for handle in handles:
            handle.remove()
    buckets.finish()


def _reached_elsewhere(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter] | None:
    """Return the parameters that the loss reaches on another rank and not on this one; None if all reach the same."""
    leaves = {id(leaf) for leaf in _leaves(loss)}
    mine = [number for number, parameter in enumerate(parameters) if id(parameter) in leaves]
    if agreed(mine):
        return None
    anywhere = {number for theirs in gather_objects(mine) for number in theirs}
    return [parameters[number] for number in sorted(anywhere.difference(mine))]


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """Yield the tensors that a backward pass of ``loss`` gives a gradient."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [following for following, _ in node.next_functions]


class _Buckets:
    """Gradients that are sent together, in the order in which a backward pass makes them.

    Args:
        parameters: whose gradients they are.
        absent: those of them that get none here, but on another rank; zeros are sent for them.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], absent: Sequence[nn.Parameter] = ()) -> None:
        self.absent = {id(parameter) for parameter in absent}
        self.members: list[list[nn.Parameter]] = [[]]
        for parameter in reversed(parameters):
            last = self.members[-1]
            if last and (sum(p.numel() for p in last) >= BUCKET or last[0].dtype != parameter.dtype):
                self.members.append(last := [])
            last.append(parameter)
        self.place = {id(p): number for number, members in enumerate(self.members) for p in members}
        self.missing = [len(members) for members in self.members]
        self.sent: list[tuple[list[Tensor], Tensor, Any]] = []

    def note(self, parameter: Tensor) -> None:
        """Take note of a gradient, and send the buckets that are whole, none before its turn."""
        self.missing[self.place[id(parameter)]] -= 1
        while len(self.sent) < len(self.members) and not self.missing[len(self.sent)]:
            self._send()

    def _send(self) -> None:
        members = self.members[len(self.sent)]
        for parameter in members:
            if id(parameter) in self.absent:
                parameter.grad = torch.zeros_like(parameter)
        grads = [p.grad for p in members if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in grads]) if grads else torch.empty(0)
        self.sent.append((grads, flat, dist.all_reduce(flat, async_op=True) if grads else None))

    def finish(self) -> None:
        """Send what is left, and write the means as they arrive."""
        while len(self.sent) < len(self.members):
            self._send()
        for grads, flat, work in self.sent:
            if work is None:
                continue
            work.wait()
            flat /= world_size()
            for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
                grad.copy_(part.view_as(grad))
