"""The contract of a LOSS."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.losses.loss_set import RESERVED
from reidzoo.registry import LOSS
from reidzoo.testing.contract import Contract
from reidzoo.testing.modules import check_module
from reidzoo.testing.values import difference, noise

__all__ = ["check_loss"]

IMAGES = 8


def check_loss(part: Any, gradient: Sequence[str] = (), **tensors: Tensor) -> None:
    """Check that a loss keeps its contract, on batches of eight images.

    Args:
        part: the LOSS: its node, whose ``inputs`` count, its class, or itself.
        gradient: parameters of its ``forward`` that a gradient has to reach; by default one of them will do.
        **tensors: by name, what ``forward`` takes and the batch, or a head of 16 features for 8 identities, does not
            offer: those are ``feat``, ``embedding``, ``logits``, ``pid``, ``camid``, ``domain``, ``timeid``,
            ``viewid``, ``index``. Or others in their place.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    inputs = part.get("inputs", {}) if isinstance(part, Mapping) else {}
    if isinstance(part, Mapping):
        part = {key: value for key, value in part.items() if key not in RESERVED}
    with Contract(LOSS, part) as contract:
        loss = contract.build()
        check_module(contract, loss)
        taken = _taken(contract, loss, {**_batch(), **tensors}, inputs)
        value = _value(contract, loss, taken)
        _check_gradient(contract, loss, taken, gradient)
        _check_state(contract, loss, taken)
        _check_classes(contract, loss, taken)
        names = [name for name in taken if inputs.get(name, name) == "pid"]
        for name in names:
            _check_identities(contract, loss, taken, name, value)


def _batch() -> dict[str, Tensor]:
    """Return what the loader and a head offer of two images of each of four identities."""
    numbers = torch.arange(IMAGES)
    labels = {"pid": numbers // 2, "camid": numbers % 2, "domain": numbers // 4, "index": numbers}
    labels |= {"timeid": numbers % 3, "viewid": numbers % 2}
    features = {
        name: noise(IMAGES, width, seed=width) for name, width in (("feat", 16), ("embedding", 16), ("logits", 8))
    }
    return {**labels, **features}


def _taken(
    contract: Contract, loss: nn.Module, tensors: Mapping[str, Tensor], inputs: Mapping[str, str]
) -> dict[str, Tensor]:
    """Return the tensors that ``forward`` takes, by the names of its parameters."""
    parameters = inspect.signature(loss.forward).parameters.values()
    named = [item for item in parameters if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)]
    contract.require(bool(named), "the parameters of its forward name the tensors that it takes", "it names none")
    lacking = [
        item.name for item in named if item.default is item.empty and inputs.get(item.name, item.name) not in tensors
    ]
    contract.require(
        not lacking,
        "the parameters of its forward name the tensors that it takes",
        f"nothing is called {', '.join(lacking)}: give the check such tensors, check_loss(..., {lacking[:1]}=...)",
    )
    return {item.name: tensors[key] for item in named if (key := inputs.get(item.name, item.name)) in tensors}


def _value(contract: Contract, loss: nn.Module, taken: Mapping[str, Tensor], of: str = "a batch") -> Tensor:
    """Return the loss, of a copy of the module, with its inputs as leaves; check that it is a finite scalar."""
    given = {name: tensor.clone() for name, tensor in taken.items()}
    with contract.clause(f"it is computed of {of}"):
        clause = "random numbers come from torch's generator, which checkpoints keep"
        with contract.no_draws(clause, "numpy", "random"):
            value = copy.deepcopy(loss).train()(**given)
    changed = [name for name in taken if not torch.equal(taken[name], given[name])]
    contract.require(not changed, "it leaves its inputs as they are", f"{', '.join(changed)} was written into")
    kind = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    contract.require(
        isinstance(value, Tensor) and value.dim() == 0, "it returns a scalar tensor", f"it returned {kind}"
    )
    contract.require(value.dtype == torch.float32, "of float32 inputs it returns float32", f"it returned {value.dtype}")
    contract.require(bool(value.isfinite()), f"it is finite for {of}", f"it is {float(value.detach())}")
    return value.detach()


def _check_gradient(
    contract: Contract, loss: nn.Module, taken: Mapping[str, Tensor], wanted: Sequence[str], of: str = "a batch"
) -> None:
    """Check that gradients are finite and reach the inputs ``wanted``, or one of them if none is named."""
    given = {name: t.clone().requires_grad_(t.is_floating_point()) for name, t in taken.items()}
    floating = [name for name, tensor in given.items() if tensor.is_floating_point()]
    with contract.clause(f"it has a gradient for {of}"):
        copy.deepcopy(loss).train()(**given).backward()
    grads = {name: grad for name in floating if (grad := given[name].grad) is not None}
    endless = [name for name, grad in grads.items() if not bool(grad.isfinite().all())]
    contract.require(not endless, f"its gradient is finite for {of}", f"that of {', '.join(endless)} is not")
    reached = [name for name, grad in grads.items() if bool(grad.any())]
    if of == "a batch":
        clause = f"a gradient reaches {', '.join(wanted) or 'one of ' + ', '.join(floating)}"
        contract.require(set(wanted) <= set(reached) and bool(reached), clause, f"it reaches {reached or 'none'}")


def _check_state(contract: Contract, loss: nn.Module, taken: Mapping[str, Tensor]) -> None:
    """Check that a loss that has been called before continues from its state alone."""
    used, other = copy.deepcopy(loss).train(), contract.build(seed=1)
    clause = "what it keeps between calls is in buffers and parameters"
    with contract.clause(clause):
        used(**taken)
        other.load_state_dict(used.state_dict())
        torch.manual_seed(2)
        one = used(**taken).detach()
        torch.manual_seed(2)
        found = difference(one, other.train()(**taken).detach(), "the loss")
    contract.require(not found, clause, f"with the state of another one, {found}")


def _check_classes(contract: Contract, loss: nn.Module, taken: Mapping[str, Tensor]) -> None:
    """Check that a loss with ``reset_classes`` goes on with as many classes as it is told, on the same device."""
    if not callable(getattr(loss, "reset_classes", None)):
        return
    told: Any = copy.deepcopy(loss)
    with contract.clause("reset_classes(num_classes) makes it one of other classes"):
        told(**taken)
        told.reset_classes(IMAGES + 3)
        _value(contract, told, taken, "a batch after reset_classes")
        _check_gradient(contract, told, taken, (), "a batch after reset_classes")


def _check_identities(
    contract: Contract, loss: nn.Module, taken: Mapping[str, Tensor], name: str, value: Tensor
) -> None:
    """Check batches of one image each, of one identity, and with images of nobody; ``name`` takes the labels."""
    cases = {"one image of each identity": torch.arange(IMAGES), "one identity": torch.zeros(IMAGES, dtype=torch.int64)}
    for of, pid in cases.items():
        _value(contract, loss, {**taken, name: pid}, f"a batch of {of}")
        _check_gradient(contract, loss, {**taken, name: pid}, (), f"a batch of {of}")
    junk = torch.tensor([0, 0, 1, 1, 2, 2, -1, -1])
    with_junk = _attempt(loss, {**taken, name: junk})
    if with_junk is None:
        return  # it refuses them
    kept = junk >= 0
    alone = {key: tensor[kept] if tensor.shape[:1] == (IMAGES,) else tensor for key, tensor in taken.items()}
    left_out = _attempt(loss, {**alone, name: junk[kept]})
    apart = _attempt(loss, {**taken, name: torch.tensor([0, 0, 1, 1, 2, 2, 3, 4])})
    right = any(other is not None and not difference(with_junk, other) for other in (left_out, apart))
    contract.require(
        right,
        "an image of identity -1 is nobody's: it raises an error, or leaves the image out",
        f"two of them were counted, as one person's or as a class ({float(with_junk):.4g})",
    )


def _attempt(loss: nn.Module, taken: Mapping[str, Tensor]) -> Tensor | None:
    """Return the loss, of a copy of the module; None where it raises."""
    torch.manual_seed(3)
    try:
        return copy.deepcopy(loss).train()(**taken).detach()
    except Exception:
        return None
