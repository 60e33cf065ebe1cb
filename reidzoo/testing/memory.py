"""The contract of a MEMORY."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidzoo.distributed import gather, rank
from reidzoo.registry import MEMORY
from reidzoo.testing.contract import Contract
from reidzoo.testing.modules import check_module
from reidzoo.testing.processes import can_fork, in_two_processes
from reidzoo.testing.values import difference, noise

__all__ = ["check_memory"]


def check_memory(part: Any, dim: int = 8, prepare: Callable[[nn.Module], object] | None = None, **further: Any) -> None:
    """Check that a memory keeps its contract, in one process and in two.

    Args:
        part: the MEMORY: its node or its class, without ``dim``; or itself, built with that. A dozen rows will do.
        dim: D of the features.
        prepare: is called with a new memory, where one has to be filled or labelled before it can be used.
        **further: what trainers give ``forward`` and ``update`` besides features and rows, such as ``epoch=0``.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(MEMORY, part) as contract:
        memory = contract.build(dim=dim)
        check_module(contract, memory)
        if prepare is not None:
            prepare(memory)
        name = _table(contract, memory, dim)
        rows = len(memory.get_buffer(name))
        feat, index = functional.normalize(noise(4, dim)), torch.tensor([0, rows - 1, 1, rows - 1])
        _check_update(contract, memory, name, (feat, index, further))
        _check_order(contract, memory, (feat, index, further))
        _check_scores(contract, memory, (feat, index, further))
        _check_state(contract, memory, dim, (feat, index, further))
        _check_bounds(contract, memory, rows, (feat, index, further))
        if can_fork():
            _check_processes(contract, memory, (feat, index, further))


def _table(contract: Contract, memory: Any, dim: int) -> str:
    """Return the name of the buffer that holds the rows, the longest with ``dim`` columns."""
    tables = {
        name: len(buffer)
        for name, buffer in memory.named_buffers()
        if buffer.is_floating_point() and buffer.dim() == 2 and buffer.shape[1] == dim
    }
    contract.require(bool(tables), "its rows are in a buffer (N, dim)", "it has no such buffer")
    name = max(tables, key=lambda name: tables[name])
    contract.require(tables[name] >= 4, "the check needs a memory of four rows or more", f"{name} has {tables[name]}")
    return name


def _call(method: Callable[..., Any], feat: Tensor, index: Tensor, further: Mapping[str, Any]) -> Any:
    """Call ``forward`` or ``update`` with those of the ``further`` arguments that it takes."""
    names = list(inspect.signature(method).parameters)[2:]
    return method(feat, index, **{name: further[name] for name in names if name in further})


def _updated(contract: Contract, memory: Any, feat: Tensor, index: Tensor, further: Mapping[str, Any]) -> Any:
    """Return a copy of the memory after an update."""
    memory = copy.deepcopy(memory)
    takes = contract.clause("update(feat, index) takes features (B, dim) and rows (B,)")
    with takes, contract.no_draws("update draws no random numbers"):
        _call(memory.update, feat, index, further)
    return memory


def _check_update(contract: Contract, memory: Any, name: str, update: tuple) -> None:
    """Check that an update moves its rows of the table ``name``, no others, and leaves no gradient."""
    feat, index, further = update
    given = feat.clone().requires_grad_()
    after = _updated(contract, memory, given, index, further)
    contract.require(torch.equal(given, feat), "update leaves the features as they are", "they were written into")
    tracked = [key for key, buffer in after.named_buffers() if buffer.requires_grad]
    contract.require(not tracked, "update is under no_grad", f"{', '.join(tracked)} has a gradient afterwards")
    changed = (memory.get_buffer(name) != after.get_buffer(name)).any(1).nonzero().flatten().tolist()
    others = sorted(set(changed) - set(index.tolist()))
    contract.require(not others, "update changes the rows given and no others", f"{name}: rows {others} changed too")
    still = sorted(set(index.tolist()) - set(changed))
    contract.require(not still, "update changes the rows given", f"{name}: rows {still} stayed what they were")


def _check_order(contract: Contract, memory: Any, update: tuple) -> None:
    """Check that one update is the same as one for each of its images, in their order."""
    feat, index, further = update
    together = _updated(contract, memory, feat, index, further)
    one_by_one = memory
    for row in range(len(feat)):
        one_by_one = _updated(contract, one_by_one, feat[row : row + 1], index[row : row + 1], further)
    contract.require(
        not (found := difference(together.state_dict(), one_by_one.state_dict())),
        "a row that occurs several times is moved as often, in the order of the batch",
        f"of a batch and of its images one by one, {found}",
    )


def _check_scores(contract: Contract, memory: Any, update: tuple) -> None:
    """Check the scores and their gradient, and that they leave the memory as it is."""
    feat, index, further = update
    given = feat.clone().requires_grad_()
    memory = _updated(contract, memory, feat, index, further)
    before = copy.deepcopy(memory.state_dict())
    with contract.clause("forward(feat, index) returns scores"):
        scores = _call(memory, given, index, further)
        contract.require(isinstance(scores, Tensor), "forward(feat, index) returns scores", f"{type(scores).__name__}")
        (scores * noise(*scores.shape, seed=1)).sum().backward()
    contract.require(given.grad is not None and bool(given.grad.any()), "a gradient of the scores reaches feat")
    contract.require(bool(given.grad.isfinite().all()), "the gradient of feat is finite")
    found = difference(before, memory.state_dict())
    contract.require(not found, "forward leaves the memory as it is", found)


def _check_state(contract: Contract, memory: Any, dim: int, update: tuple) -> None:
    """Check that another memory with this one's state gives the same scores and the same update."""
    feat, index, further = update
    memory, other = _updated(contract, memory, feat, index, further), contract.build(seed=1, dim=dim)
    clause = "all its state is in buffers"
    with contract.clause(clause):
        other.load_state_dict(memory.state_dict())
        scores = [_call(each, feat, index, further) for each in (memory, other)]
    found = difference(scores[0], scores[1])
    contract.require(not found, clause, f"with the state of another one, the scores {found}")
    states = [_updated(contract, each, feat.flip(0), index, further).state_dict() for each in (memory, other)]
    found = difference(states[0], states[1])
    contract.require(not found, clause, f"with the state of another one, after an update {found}")


def _check_bounds(contract: Contract, memory: Any, rows: int, update: tuple) -> None:
    """Check that rows that do not exist are refused."""
    feat, _, further = update
    for wrong in (-1, rows):
        try:
            _call(copy.deepcopy(memory).update, feat[:1], torch.tensor([wrong]), further)
        except IndexError:
            continue
        except Exception as error:
            found = f"row {wrong} of {rows} raised {type(error).__name__}"
        else:
            found = f"row {wrong} of {rows} was taken"
        contract.require(False, "update raises IndexError for a row that does not exist", found)


def _check_processes(contract: Contract, memory: Any, update: tuple) -> None:
    """Check that two processes with the gathered batch have the memory that one has."""
    alone = _updated(contract, memory, *update).state_dict()
    clause = "in several processes, each given the whole batch, it is what it is in one"
    with contract.clause(clause):
        states = in_two_processes(_update_with_the_whole_batch, copy.deepcopy(memory), *update)
    for number, state in enumerate(states):
        found = difference(alone, state)
        contract.require(not found, clause, f"in process {number}, {found}")


def _update_with_the_whole_batch(memory: Any, feat: Tensor, index: Tensor, further: Mapping[str, Any]) -> Any:
    """Gather the batch of which this process has its share, as trainers do, update, and return the state."""
    share = slice(rank() * len(feat) // 2, (rank() + 1) * len(feat) // 2)
    _call(memory.update, gather(feat[share]), gather(index[share]), further)
    return memory.state_dict()
