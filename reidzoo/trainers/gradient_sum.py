"""Accumulation of gradients over many batches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from reidzoo.distributed import average_gradients

__all__ = ["GradientSum"]


class GradientSum(nn.Module):
    """Accumulates the gradients of many batches for one step; in buffers, so that a run may be resumed between them.

    Args:
        parameters: whose gradients.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__()
        self.of = tuple(parameters)
        for number, parameter in enumerate(self.of):
            self.register_buffer(f"sum{number}", torch.zeros_like(parameter))

    def add(self, loss: Tensor) -> None:
        """Add the gradient of ``loss``, which every process has computed on its share of the batch."""
        grads = torch.autograd.grad(loss, self.of, allow_unused=True)
        for parameter, grad in zip(self.of, grads, strict=True):
            parameter.grad = grad
        average_gradients(self.of)
        for parameter, total in zip(self.of, self.buffers(), strict=True):
            if parameter.grad is not None:
                total += parameter.grad
            parameter.grad = None

    def as_loss(self) -> Tensor:
        """Return a scalar whose gradient is the sum."""
        return reduce(add, ((weight * total).sum() for weight, total in zip(self.of, self.buffers(), strict=True)))

    def clear(self) -> None:
        """Set the sum to zero."""
        for total in self.buffers():
            total.zero_()
