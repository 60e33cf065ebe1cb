"""ADIN's nuisance classifier."""

from __future__ import annotations

from torch import Tensor, nn

from reidzoo.checks import check, number, whole
from reidzoo.datasets.nuisance import check_nuisance
from reidzoo.discriminators.gradient_reversal import reverse_gradient
from reidzoo.heads.branch_classifier import BranchClassifier
from reidzoo.heads.hidden_classifier import HiddenClassifier
from reidzoo.registry import DISCRIMINATOR

__all__ = ["NuisanceDiscriminator"]


@DISCRIMINATOR.register_module()
class NuisanceDiscriminator(nn.Module):
    """f_N of ADIN (Yuan et al., WACV 2020): classifies the camera, the time of day or both from a feature.

    With one branch it is a ``HiddenClassifier``, built like ADIN's identity classifier; with several a linear
    classifier on each branch's part of the feature. Several nuisances are several discriminators, each with its own
    label; the code's one softmax over camera x time is ``label: joint``. ``MLPDiscriminator`` with ``widths: [512]``
    has the same layers but no dropout, and PyTorch's initialisation.

    Args:
        in_channels: D of the features.
        num_classes: K; the trainer counts it in the training set.
        label: what it classifies: ``camera``, ``time`` or ``joint``, see ``nuisance_labels``.
        branches: 1, or how many parts the feature has (3 for ``DualBranchHead``).
        width, dropout, slope: of the ``HiddenClassifier``; of no effect with several branches.
        reversal: not 0: the gradient that goes back to the features is multiplied by minus this (Ganin and Lempitsky,
            ICML 2015), so that a cross entropy trains it *and* the features against it.

    Raises:
        ConfigError: an unknown label.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        label: str = "camera",
        branches: int = 1,
        width: int = 512,
        dropout: float = 0.5,
        slope: float = 0.1,
        reversal: float = 0.0,
    ) -> None:
        super().__init__()
        check_nuisance(label)
        check(self, whole(1, 64), branches=branches)
        check(self, number(0), reversal=reversal)
        self.label, self.num_classes, self.reversal = label, num_classes, reversal
        if branches > 1:
            self.classifier: nn.Module = BranchClassifier(in_channels, num_classes, branches)
        else:
            self.classifier = HiddenClassifier(in_channels, num_classes, width, dropout, slope)

    def forward(self, feat: Tensor) -> Tensor:
        """Return the logits of ``feat`` (B, D): (B, K), or (B, n, K) with n branches."""
        return self.classifier(reverse_gradient(feat, self.reversal) if self.reversal else feat)

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"label={self.label}, num_classes={self.num_classes}, reversal={self.reversal}"
