"""Random brightness, contrast, saturation and hue."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.transforms import v2

from reidzoo.checks import PROBABILITY, check, either, number, ordered
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = ["ColorJitter"]


@TRANSFORM.register_module()
class ColorJitter(TorchvisionTransform):
    """Changes brightness, contrast, saturation and hue in a random order; torchvision's, see ``TorchvisionTransform``.

    Args:
        brightness: b for a factor from 1 - b, at least 0, to 1 + b; or least and greatest factor. 0 for none.
        contrast: likewise.
        saturation: likewise.
        hue: h, at most 0.5, for a shift from -h to h turns; or least and greatest shift.
        p: the probability for each image.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        p: float = 1.0,
    ) -> None:
        factor = either(number(0, 100), ordered(number(0, 100)))
        check(self, factor, brightness=brightness, contrast=contrast, saturation=saturation)
        check(self, either(number(0, 0.5), ordered(number(-0.5, 0.5))), hue=hue)
        check(self, PROBABILITY, p=p)
        self._set_up(v2.ColorJitter(brightness, contrast, saturation, hue), p)
