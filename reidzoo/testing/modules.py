"""Clauses that networks share: what they do in evaluation, in training, and where their state is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.testing.contract import Contract
from reidzoo.testing.values import difference, named_outputs, noise

__all__ = ["check_evaluation", "check_module", "check_state", "check_training"]


def check_module(contract: Contract, part: Any) -> None:
    """Check that a part is an ``nn.Module``."""
    contract.require(isinstance(part, nn.Module), "it is an nn.Module", f"it is a {type(part).__name__}")


def check_evaluation(contract: Contract, module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """Check in evaluation mode that a row's outputs are its own, and return the outputs of ``batch`` (B, ...)."""
    module.eval()
    given = batch.clone()
    with torch.no_grad(), contract.clause(f"in evaluation mode it takes a batch {tuple(batch.shape)}"):
        with contract.no_draws("in evaluation mode it draws no random numbers"):
            outputs = named_outputs(module(batch))
        rows = [named_outputs(module(batch[row : row + 1])) for row in range(len(batch))]
    contract.require(torch.equal(batch, given), "it leaves its input as it is", "the batch was written into")
    single = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    contract.require(
        not (found := difference(outputs, single)),
        "in evaluation mode what it makes of an image depends on that image alone",
        f"of a batch and of its images one by one, {found}",
    )
    return outputs


def check_training(contract: Contract, module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """Check in training mode that gradients reach ``batch`` (B, ...) and the parameters; return the outputs."""
    module.train()
    given = batch.clone().requires_grad_()
    with contract.clause(f"in training mode it takes a batch {tuple(batch.shape)}"):
        with contract.no_draws("random numbers come from torch's generator, which checkpoints keep", "numpy", "random"):
            outputs = named_outputs(module(given))
        floating = [value for value in outputs.values() if value.is_floating_point()]
        for value in floating:
            contract.require(bool(value.isfinite().all()), "its outputs are finite")
            contract.require(value.requires_grad, "its outputs have a gradient")
        # Weights that differ: the plain sum of normalised features is a constant.
        torch.stack([(value * noise(*value.shape, seed=1)).sum() for value in floating]).sum().backward()
    _check_gradient(contract, "its input", [given])
    learnt = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if learnt:
        _check_gradient(contract, "its parameters", learnt)
    module.zero_grad(set_to_none=True)
    return {name: value.detach() for name, value in outputs.items()}


def check_state(contract: Contract, module: nn.Module, batch: Tensor, **given: Any) -> None:
    """Check that another part, built with ``given``, gives the same outputs once it has the state of ``module``."""
    other = contract.build(seed=1, **given)
    clause = "all that it has learnt is in its parameters and buffers"
    with contract.clause(clause):
        other.load_state_dict(module.state_dict())
        with torch.no_grad():
            outputs = [named_outputs(each.eval()(batch)) for each in (module, other)]
    found = difference(outputs[0], outputs[1])
    contract.require(not found, clause, f"with the state of another one, {found}")


def _check_gradient(contract: Contract, what: str, tensors: Sequence[Tensor]) -> None:
    """Check that all gradients are finite, and one of them not zero."""
    grads = [tensor.grad for tensor in tensors if tensor.grad is not None]
    contract.require(all(bool(grad.isfinite().all()) for grad in grads), f"the gradient of {what} is finite")
    contract.require(any(bool(grad.any()) for grad in grads), f"a gradient reaches {what}", "there is none")
