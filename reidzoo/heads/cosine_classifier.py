"""A classifier whose logits are cosines."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from reidzoo.directions import directions

__all__ = ["CosineClassifier"]


class CosineClassifier(nn.Linear):
    """The cosines of a feature and each class's weight vector, which losses of margin softmax take as logits.

    They are in [-1, 1]: a loss scales them, ``ArcFaceLoss``, ``CosFaceLoss``, ``CircleSoftmaxLoss``, or
    ``CrossEntropyLoss`` with ``temperature`` 1 / scale, which is NormFace (Wang et al., ACM MM 2017). Half-precision
    features are compared in float32, since a margin is lost in bfloat16's rounding of cosines near 1.

    Args:
        in_features: D of the feature.
        num_classes: K.
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__(in_features, num_classes, bias=False)

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        """Return the cosines (B, K) of ``feat`` (B, D)."""
        with torch.autocast(feat.device.type, enabled=False):
            feat = feat.to(self.weight.dtype)
            return functional.linear(directions(feat), directions(self.weight))
