"""BNNeck: batch norm between the feature of the metric loss and the feature of the classifier."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import FLAG, check
from reidzoo.heads.classifier import build_classifier, set_classifier
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["BNNeck"]


@HEAD.register_module()
class BNNeck(nn.Module):
    """Pooling -> f_t, batch norm -> f_i, linear classifier without bias (Luo et al., CVPRW 2019, Fig. 5).

    Metric losses take f_t (``feat``); the classifier and retrieval take f_i (``embedding``).

    Args:
        in_channels: channels C of the feature map; feat and embedding have as many.
        num_classes: identities; 0 makes no classifier.
        pooling: "avg", "max" or "gem" (``GeM``).
        bias_frozen: keep the batch norm's bias at 0, so that the classifier's hyperplanes pass through the origin.

    Attributes:
        num_classes, embedding_dim: sizes of ``logits`` and ``embedding``.
    """

    def __init__(self, in_channels: int, num_classes: int = 0, pooling: str = "avg", bias_frozen: bool = True) -> None:
        super().__init__()
        check(self, FLAG, bias_frozen=bias_frozen)
        self.embedding_dim = in_channels
        self.num_classes = num_classes
        self.pooling = build_pooling(pooling)
        self.bn = nn.BatchNorm1d(in_channels)
        self.bn.bias.requires_grad_(not bias_frozen)
        self.classifier = build_classifier(in_channels, num_classes, bias=False)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` and ``embedding``, both (B, C), in training also ``logits`` (B, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        feat = self.pooling(maps)
        outputs = {"feat": feat, "embedding": self.bn(feat)}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(outputs["embedding"])
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifier by a new one, on the head's device.

        Its weight is a new parameter, also when the number of classes is the same: optimizers have to be told.

        Args:
            num_classes: identities; 0 removes the classifier.
            centroids: (num_classes, C) class means, whose L2-normalised rows become the weights; None draws
                N(0, 0.001).

        Raises:
            ValueError: the shapes do not fit.
        """
        classifier = build_classifier(self.embedding_dim, num_classes, bias=False, centroids=centroids)
        set_classifier(self, classifier, num_classes)
