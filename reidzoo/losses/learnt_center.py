"""Centre loss with centres that an optimizer moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidzoo.checks import check, whole
from reidzoo.errors import ConfigError
from reidzoo.losses.labels import check_labels
from reidzoo.losses.take_rows import take_rows
from reidzoo.registry import LOSS

__all__ = ["LearntCenterLoss"]


@LOSS.register_module()
class LearntCenterLoss(nn.Module):
    """The squared distance of each feature to its class's centre, mean over the batch; the centres are parameters.

    This is the centre loss of the bag of tricks (Luo et al., CVPRW 2019, Eq. 7, there half of it): centres that begin
    as N(0, 1) and have an optimizer of their own, an entry of OPTIMIZERS with the loss's name::

        LOSSES:
          center: {type: LearntCenterLoss, weight: 5.0e-4}
        OPTIMIZERS:
          center: {type: SGD, lr: 1000}

    The authors' code takes SGD of lr 0.5 on a gradient that it divides by the loss's weight; here the weight stays in
    it, and 0.5 / 5e-4 is the same. ``CenterLoss`` moves its centres itself, by the rule of its paper.

    Args:
        num_classes: C, the classes of the training set; a configuration may leave it out.
        dim: D of the features; a configuration may leave it out where it is the embedding's.

    Raises:
        ConfigError: an argument is out of its range.
    """

    centers: nn.Parameter

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        check(self, whole(0, 10**7), num_classes=num_classes)
        check(self, whole(1, 65536), dim=dim)
        self.centers = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, feat: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss of ``feat`` (B, D) with classes ``pid``, int64 (B,) in [0, C).

        Raises:
            ConfigError: the features are not of dimension D.
            ValueError: a class is outside [0, C).
        """
        if feat.shape[1] != self.centers.shape[1]:
            raise ConfigError(f"LearntCenterLoss: dim is {self.centers.shape[1]}, the features have {feat.shape[1]}")
        check_labels(pid, len(self.centers))
        return (feat - take_rows(self.centers, pid)).square().sum(1).mean()

    def reset_classes(self, num_classes: int) -> None:
        """Begin anew with as many centres, since pseudo labels have changed the classes."""
        centers = torch.randn(num_classes, self.centers.shape[1]).to(self.centers.device, self.centers.dtype)
        self.centers = nn.Parameter(centers)

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"{self.centers.shape[0]}, {self.centers.shape[1]}"
