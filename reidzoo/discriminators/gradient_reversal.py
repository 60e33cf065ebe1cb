"""The gradient reversal layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["reverse_gradient"]


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * gradient, None


def reverse_gradient(values: Tensor, scale: float = 1.0) -> Tensor:
    """Return ``values`` unchanged; the gradient that comes back through them is multiplied by ``-scale``.

    Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation" (ICML 2015), Eq. 7 and 8.
    """
    return _ReverseGradient.apply(values, scale)
