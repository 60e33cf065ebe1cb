"""AugMix: mixtures of chains of augmentations."""

from __future__ import annotations

from torchvision.transforms import v2

from reidzoo.checks import FLAG, PROBABILITY, check, either, number, one_of, whole
from reidzoo.registry import TRANSFORM
from reidzoo.transforms.torchvision_transform import TorchvisionTransform

__all__ = ["AugMix"]


@TRANSFORM.register_module()
class AugMix(TorchvisionTransform):
    """Mixes an image with chains of augmentations of it; torchvision's, see ``TorchvisionTransform``.

    Hendrycks et al., "AugMix: a simple data processing method to improve robustness and uncertainty" (ICLR 2020),
    without its loss.

    Args:
        severity: of an operation, 1 to 10.
        mixture_width: how many chains.
        chain_depth: operations of a chain; -1 for one to three at random.
        alpha: of the Beta and Dirichlet distributions of the weights.
        all_ops: brightness, contrast, colour and sharpness, too, which ImageNet-C's corruptions overlap with.
        p: the probability for each image.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        p: float = 1.0,
    ) -> None:
        check(self, whole(1, 10), severity=severity)
        check(self, whole(1, 100), mixture_width=mixture_width)
        check(self, either(one_of(-1), whole(1, 100)), chain_depth=chain_depth)
        check(self, number(1e-3, 1e3), alpha=alpha)
        check(self, FLAG, all_ops=all_ops)
        check(self, PROBABILITY, p=p)
        self._set_up(v2.AugMix(severity, mixture_width, chain_depth, alpha, all_ops), p)
