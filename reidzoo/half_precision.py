"""Tells tensors of half precision, and widens them to float32."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["is_half", "widen"]


def is_half(tensor: Tensor) -> bool:
    """Return whether a tensor is float16 or bfloat16."""
    return tensor.dtype in (torch.float16, torch.bfloat16)


def widen(tensor: Tensor) -> Tensor:
    """Return a half-precision tensor as float32, another as it is."""
    return tensor.float() if is_half(tensor) else tensor
