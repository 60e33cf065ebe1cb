"""Normalisation of images per channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reidzoo.checks import PROBABILITY, check, each, number
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw

__all__ = ["Normalize"]

TOGETHER = 1 << 18
"""Numbers that stay in a processor's cache from one operation to the next: 1 MB."""


@TRANSFORM.register_module()
class Normalize:
    """Subtracts the mean and divides by the standard deviation of each channel.

    Args:
        mean: per channel in units of 0..1; from ``INPUT`` unless the node sets it.
        std: likewise, in (0, 1].

    Raises:
        ConfigError: a standard deviation that is not positive, or unequal lengths.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        check(self, each(PROBABILITY, least=1), mean=mean)
        check(self, each(number(above=0, most=1), least=1), std=std)
        if len(mean) != len(std):
            raise ConfigError(f"Normalize: mean and std must be equally long, got {mean} and {std}")
        self._mean = 255 * torch.tensor(mean, dtype=torch.float64)[:, None, None]
        self._factor = 1 / (255 * torch.tensor(std, dtype=torch.float64)[:, None, None])
        self._mean, self._factor = self._mean.float(), self._factor.float()

    def __call__(self, images: Tensor, draw: BatchDraw | None = None) -> Tensor:
        """Return the batch (B, C, H, W), uint8 or floating in 0..255, as a new float32 tensor."""
        if self._mean.device != images.device:
            self._mean, self._factor = self._mean.to(images.device), self._factor.to(images.device)
        if images.device.type != "cpu":
            return torch.sub(images, self._mean).float().mul_(self._factor)  # converts as it subtracts: two kernels
        normalized = torch.empty_like(images, dtype=torch.float32)
        few = max(1, TOGETHER * len(images) // max(images.numel(), 1))
        for part, result in zip(images.split(few), normalized.split(few)):
            result.copy_(part).sub_(self._mean).mul_(self._factor)
        return normalized
