"""The number format in which networks are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["PRECISIONS", "autocast", "float32_default"]

PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""SOLVER.PRECISION -> what autocast computes convolutions and products in; None for no autocast."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a network on ``device`` is computed in ``precision``, a key of ``PRECISIONS``."""
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


@contextmanager
def float32_default() -> Iterator[None]:
    """Make new tensors float32 meanwhile, whatever ``torch.set_default_dtype`` says: weights are, and images."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
