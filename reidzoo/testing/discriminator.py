"""The contract of a DISCRIMINATOR."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from reidzoo.registry import DISCRIMINATOR
from reidzoo.testing.contract import Contract
from reidzoo.testing.modules import check_evaluation, check_module, check_state, check_training
from reidzoo.testing.values import noise

__all__ = ["check_discriminator"]


def check_discriminator(part: Any, in_channels: int = 12) -> None:
    """Check that a discriminator keeps its contract.

    Args:
        part: the DISCRIMINATOR: its node or its class, without ``in_channels``; or itself, built with that.
        in_channels: D of the features.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(DISCRIMINATOR, part) as contract:
        discriminator = contract.build(in_channels=in_channels)
        check_module(contract, discriminator)
        feat = noise(4, in_channels)
        trained = _check_logits(contract, check_training(contract, discriminator, feat))
        tested = _check_logits(contract, check_evaluation(contract, discriminator, feat))
        contract.require(trained == tested, "it has as many classes in training as in evaluation")
        check_state(contract, discriminator, feat, in_channels=in_channels)


def _check_logits(contract: Contract, outputs: dict[str, Tensor]) -> tuple[int, ...]:
    """Check that the only output are logits of four rows, and return their shape."""
    clause = "it returns logits (B, classes), or (B, n, classes) of n branches, of features (B, D)"
    contract.require(list(outputs) == ["output"], clause, f"it returned {', '.join(outputs) or 'nothing'}")
    shape = tuple(outputs["output"].shape)
    contract.require(len(shape) in (2, 3) and shape[0] == 4, clause, f"of 4 features it returned {shape}")
    return shape
