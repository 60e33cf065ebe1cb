"""Centre loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidzoo.checks import PROBABILITY, check, whole
from reidzoo.errors import ConfigError
from reidzoo.losses.labels import check_labels
from reidzoo.registry import LOSS

__all__ = ["CenterLoss"]


@LOSS.register_module()
class CenterLoss(nn.Module):
    """Half the squared distance of each feature to its class's centre, mean over the batch.

    Wen et al., "A discriminative feature learning approach for deep face recognition" (ECCV 2016), Eq. 2, there summed
    over the batch. In training each call moves the centres of its classes afterwards (Eq. 4): ``c_j -= alpha sum_i
    [y_i = j] (c_j - x_i) / (1 + n_j)``. They are a buffer, begin at 0, and no optimizer knows of them.

    **Minimum**: 0, where every feature is its class's centre.

    Args:
        num_classes: C, the classes of the training set; a configuration may leave it out.
        dim: D of the features; a configuration may leave it out where it is the embedding's.
        alpha: how far the centres move, in [0, 1].

    Raises:
        ConfigError: an argument is out of its range.
    """

    centers: Tensor

    def __init__(self, num_classes: int, dim: int, alpha: float = 0.5) -> None:
        super().__init__()
        check(self, whole(0, 10**7), num_classes=num_classes)
        check(self, whole(1, 65536), dim=dim)
        check(self, PROBABILITY, alpha=alpha)
        self.alpha = alpha
        self.register_buffer("centers", torch.zeros(num_classes, dim))

    def forward(self, feat: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss of ``feat`` (B, D) with classes ``pid``, int64 (B,) in [0, C).

        Raises:
            ConfigError: the features are not of dimension D.
            ValueError: a class is outside [0, C).
        """
        if feat.shape[1] != self.centers.shape[1]:
            raise ConfigError(f"CenterLoss: dim is {self.centers.shape[1]}, the features have {feat.shape[1]}")
        check_labels(pid, len(self.centers))
        difference = feat - self.centers[pid]
        loss = difference.square().sum(1).mean() / 2
        if self.training:
            self._move(difference.detach(), pid)
        return loss

    @torch.no_grad()
    def _move(self, difference: Tensor, pid: Tensor) -> None:
        """Move the centres of the classes ``pid`` (B,) along ``difference`` (B, D), feature minus centre."""
        classes = len(self.centers)
        # A product, not index_add_: its sums come out the same in every run also on a GPU.
        members = nn.functional.one_hot(pid, classes).to(difference.dtype)
        self.centers += self.alpha * (members.t() @ difference) / (1 + members.sum(0))[:, None]

    def reset_classes(self, num_classes: int) -> None:
        """Begin anew with as many centres, since pseudo labels have changed the classes."""
        self.centers = self.centers.new_zeros(num_classes, self.centers.shape[1])

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"{self.centers.shape[0]}, {self.centers.shape[1]}, alpha={self.alpha}"
