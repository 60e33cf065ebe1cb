"""Random horizontal flip."""

from __future__ import annotations

import torch
from torch import Tensor

from reidzoo.checks import PROBABILITY, check
from reidzoo.registry import TRANSFORM
from reidzoo.to_device import to_device
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
        if images.device.type == "cpu":  # half the work: only what is chosen is mirrored
            return torch.stack([image.flip(-1) if chosen else image for image, chosen in zip(images, flip)])
        return torch.where(to_device(flip, images.device)[:, None, None, None], images.flip(-1), images)
