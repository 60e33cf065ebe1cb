"""Random horizontal flip."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.checks import PROBABILITY, check
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.draw import BatchDraw

__all__ = ["RandomHorizontalFlip"]


@TRANSFORM.register_module()
class RandomHorizontalFlip:
    """Mirrors each image left to right with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        check(self, PROBABILITY, p=p)
        self.p = p

    def __call__(self, images: Tensor, draw: BatchDraw) -> Tensor:
        """Return the batch (B, C, H, W), of any dtype, with some images mirrored."""
        flip = draw.uniform(1)[:, 0] < self.p
        mirrored = images.flip(-1)
        # One copy of whole images, chosen on the CPU: no mask to send to the device, no wait for it.
        return torch.stack([(mirrored if chosen else images)[i] for i, chosen in enumerate(flip)])
