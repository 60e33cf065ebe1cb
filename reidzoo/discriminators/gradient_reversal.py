"""The gradient reversal layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["GradientReversal", "reverse_gradient"]


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


class GradientReversal(nn.Module):
    """``reverse_gradient`` as a layer, put between features and their discriminator to train both in one step.

    Args:
        scale: the factor; assign to it to follow a schedule.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values``, of any shape, unchanged."""
        return reverse_gradient(values, self.scale)
