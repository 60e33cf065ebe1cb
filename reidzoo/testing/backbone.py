"""The contract of a BACKBONE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from reidzoo.registry import BACKBONE
from reidzoo.testing.contract import Contract
from reidzoo.testing.modules import check_evaluation, check_module, check_state, check_training
from reidzoo.testing.values import noise

__all__ = ["check_backbone"]


def check_backbone(part: Any, sizes: Sequence[tuple[int, int]] = ((64, 32), (96, 48))) -> None:
    """Check that a backbone keeps its contract, on batches of one and two images.

    Args:
        part: the BACKBONE: its node, its class, or itself. Its class may not need ``pretrained``.
        sizes: heights and widths of the images, which it is to take all of.

    Raises:
        ContractError: it does not; the message says which clause is broken.
    """
    with Contract(BACKBONE, part) as contract:
        backbone = contract.build()
        check_module(contract, backbone)
        channels = contract.whole_number(backbone, "out_channels", "the number of its map's channels")
        for size in sizes:
            images = noise(2, 3, *size)
            _check_map(contract, check_training(contract, backbone, images), channels)
            _check_map(contract, check_evaluation(contract, backbone, images), channels)
            check_state(contract, backbone, images)
        if "pretrained" in contract.parameters():
            contract.build(pretrained="")


def _check_map(contract: Contract, outputs: dict[str, Tensor], channels: int) -> None:
    """Check that the only output is a map of two images with ``channels`` channels."""
    clause = "it returns a feature map (B, out_channels, h, w) of images (B, 3, H, W)"
    contract.require(list(outputs) == ["output"], clause, f"it returned {', '.join(outputs) or 'nothing'}")
    shape = tuple(outputs["output"].shape)
    fits = len(shape) == 4 and shape[:2] == (2, channels)
    contract.require(fits, clause, f"of 2 images it returned {shape}, and out_channels is {channels}")
