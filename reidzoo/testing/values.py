"""Comparison of what parts return and keep, tensors and plain values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["difference", "named_outputs", "noise", "saved_and_read"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return normal float32 numbers that depend on ``shape`` and ``seed`` alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def named_outputs(output: Any) -> dict[str, Tensor]:
    """Return what a module returned as tensors by name; a tensor alone is ``output``."""
    return {"output": output} if isinstance(output, Tensor) else dict(output)


def difference(one: Any, other: Any, place: str = "") -> str:
    """Return where and how two values differ, "" if they are the same up to float32's rounding."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if set(one) != set(other):
            return f"{place or 'one'} has {sorted(map(str, one))}, the other one {sorted(map(str, other))}"
        return _first(difference(one[key], other[key], f"{place}.{key}" if place else str(key)) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return _first(difference(a, b, f"{place}[{row}]") for row, (a, b) in enumerate(zip(one, other)))
    if isinstance(one, Tensor | np.ndarray) and isinstance(other, Tensor | np.ndarray):
        return _tensors(torch.as_tensor(one), torch.as_tensor(other), place)
    if isinstance(one, float) and isinstance(other, float):
        return _tensors(torch.tensor(one), torch.tensor(other), place)
    return "" if type(one) is type(other) and one == other else f"{place} is {one!r:.60} and {other!r:.60}".strip()


def saved_and_read(state: Any) -> Any:
    """Return ``state`` as a checkpoint gives it back: written, and read without running code."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def _first(differences: Any) -> str:
    return next((found for found in differences if found), "")


def _tensors(one: Tensor, other: Tensor, place: str) -> str:
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{place} is {one.dtype} {tuple(one.shape)} and {other.dtype} {tuple(other.shape)}".strip()
    if one.dtype.is_floating_point:
        same = torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
    else:
        same = torch.equal(one, other)
    if same:
        return ""
    gap = float((one.double() - other.double()).abs().nan_to_num(torch.inf).max())
    return f"{place} differs by up to {gap:.3g}".strip()
