"""The base of margin softmax losses: cross entropy of cosines that a margin has changed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reidzoo.checks import check, number
from reidzoo.errors import ConfigError
from reidzoo.losses.cross_entropy import CrossEntropyLoss
from reidzoo.losses.labels import check_labels

__all__ = ["MarginSoftmaxLoss"]


class MarginSoftmaxLoss(CrossEntropyLoss):
    """Cross entropy of ``scale`` times cosines, those of the right class made smaller by a margin.

    The cosines are a head's ``logits`` with ``classifier: cosine``, so that the classes' vectors are the head's: the
    framework gives it their number and the embedding's size, optimizers move them with the head, and pseudo labels
    renew them. A subclass has ``own`` and ``others``.

    Args:
        margin: m.
        scale: s, positive.
        smoothing: of the labels, as in ``CrossEntropyLoss``.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, margin: float, scale: float, smoothing: float = 0.0) -> None:
        check(self, number(above=0), scale=scale)
        super().__init__(smoothing, 1 / scale)
        self.margin, self.scale = margin, scale

    def own(self, cosines: Tensor) -> Tensor:
        """Return what takes the place of cosines where they are with the right class."""
        raise NotImplementedError(f"{type(self).__name__} needs own(cosines)")

    def others(self, cosines: Tensor) -> Tensor:
        """Return what takes the place of cosines where they are with another class."""
        return cosines

    def forward(self, logits: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            logits: cosines (B, K), or (B, n, K) of a model with n branches, whose losses are added up.
            pid: (B,) int64 class of each row, in [0, K).

        Raises:
            ConfigError: the logits are not cosines (on an accelerator they are not looked at).
            ValueError: a label is outside [0, K).
        """
        if logits.dim() == 3:
            return super().forward(logits, pid)  # which comes back with each branch
        check_labels(pid, logits.shape[1])
        _check_cosines(type(self).__name__, logits)
        right = functional.one_hot(pid, logits.shape[1]).bool()
        return super().forward(torch.where(right, self.own(logits), self.others(logits)), pid)

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"margin={self.margin}, scale={self.scale}, smoothing={self.smoothing}"


def _check_cosines(name: str, logits: Tensor) -> None:
    """Raise ConfigError for numbers outside [-1, 1]; on an accelerator every step would wait for the look."""
    if logits.device.type == "cpu" and logits.numel() and float(logits.detach().abs().max()) > 1.001:
        raise ConfigError(
            f"{name} takes cosines, and the logits are not in [-1, 1]: give the head a classifier of cosines, such as "
            f"HEAD: {{type: BNNeck, classifier: cosine}}"
        )
