"""Images without colours."""

from __future__ import annotations

from torchvision.transforms import v2

from reidzoo.checks import PROBABILITY, check
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = ["RandomGrayscale"]


@TRANSFORM.register_module()
class RandomGrayscale(TorchvisionTransform):
    """Takes the colours from each image with probability ``p``, by torchvision's weights of the channels."""

    def __init__(self, p: float = 0.1) -> None:
        check(self, PROBABILITY, p=p)
        self._set_up(v2.Grayscale(num_output_channels=3), p)
