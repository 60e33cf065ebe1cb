"""AutoAugment's learnt policies."""

from __future__ import annotations

from torchvision.transforms import AutoAugmentPolicy, v2

from reidzoo.checks import PROBABILITY, check, one_of
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = ["AutoAugment"]


@TRANSFORM.register_module()
class AutoAugment(TorchvisionTransform):
    """Applies two operations of a random sub-policy; torchvision's, see ``TorchvisionTransform``.

    Cubuk et al., "AutoAugment: learning augmentation policies from data" (CVPR 2019).

    Args:
        policy: what it was learnt on: ``imagenet``, ``cifar10`` or ``svhn``.
        p: the probability for each image.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, policy: str = "imagenet", p: float = 1.0) -> None:
        check(self, one_of(*(known.value for known in AutoAugmentPolicy)), policy=policy)
        check(self, PROBABILITY, p=p)
        self._set_up(v2.AutoAugment(AutoAugmentPolicy(policy)), p)
