"""Random blur."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.transforms import v2

from reidzoo.checks import PROBABILITY, check, each, number, ordered, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = ["GaussianBlur"]


@TRANSFORM.register_module()
class GaussianBlur(TorchvisionTransform):
    """Blurs by a Gaussian of random width; torchvision's, see ``TorchvisionTransform``.

    Args:
        kernel_size: height and width of the kernel, odd numbers of pixels.
        sigma: least and greatest standard deviation, in pixels.
        p: the probability for each image.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self, kernel_size: Sequence[int] = (5, 5), sigma: Sequence[float] = (0.1, 2.0), p: float = 0.5
    ) -> None:
        check(self, each(whole(1, 99), 2), kernel_size=kernel_size)
        check(self, ordered(number(above=0, most=100)), sigma=sigma)
        check(self, PROBABILITY, p=p)
        if not all(size % 2 for size in kernel_size):
            raise ConfigError(f"GaussianBlur: kernel_size must be odd numbers, got {list(kernel_size)}")
        self._set_up(v2.GaussianBlur(list(kernel_size), tuple(sigma)), p)
