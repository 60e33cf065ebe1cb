"""A classifier with one hidden layer."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import DROPOUT, PROBABILITY, WIDTH, check
from reidzoo.heads.cosine_classifier import CosineClassifier

__all__ = ["HiddenClassifier"]


class HiddenClassifier(nn.Sequential):
    """Linear, batch norm, leaky ReLU, dropout, Linear: ADIN's classifiers of identity and of nuisance, both alike.

    ADIN (Yuan et al., WACV 2020) says "two fully connected layers"; the rest is the authors' code. The first layer's
    weights are Kaiming normal (fan out), the norm's N(1, 0.02), the last layer's N(0, 0.001), all biases 0; drawn on
    the CPU, so that they do not depend on the device.

    Args:
        in_features: D of the feature.
        num_classes: K.
        width: of the hidden layer, 1 to 65536.
        dropout: probability that the last layer does not see a hidden unit, in training; in [0, 1).
        slope: the leaky ReLU's negative slope, in [0, 1].
        kind: of the last layer: "linear", or "cosine" (``CosineClassifier``), which has no bias.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        width: int = 512,
        dropout: float = 0.5,
        slope: float = 0.1,
        kind: str = "linear",
    ) -> None:
        check(self, WIDTH, width=width)
        check(self, DROPOUT, dropout=dropout)
        check(self, PROBABILITY, slope=slope)
        hidden = nn.Linear(in_features, width)
        last = CosineClassifier(width, num_classes) if kind == "cosine" else nn.Linear(width, num_classes)
        norm = nn.BatchNorm1d(width)
        nn.init.kaiming_normal_(hidden.weight, mode="fan_out")
        nn.init.normal_(norm.weight, 1.0, 0.02)
        nn.init.normal_(last.weight, 0.0, 0.001)
        nn.init.zeros_(hidden.bias)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        super().__init__(hidden, norm, nn.LeakyReLU(slope), nn.Dropout(dropout), last)

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) of ``feat`` (B, D)."""
        return super().forward(feat)
