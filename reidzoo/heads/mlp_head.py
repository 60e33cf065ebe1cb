"""The head of pooling and a classifier with one hidden layer."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import DROPOUT, PROBABILITY, WIDTH, check
from reidzoo.heads.classifier import CLASSIFIER, set_classifier
from reidzoo.heads.hidden_classifier import HiddenClassifier
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["MLPHead"]


@HEAD.register_module()
class MLPHead(nn.Module):
    """Pooling, and a ``HiddenClassifier`` of the pooled feature: ADIN's head (Yuan et al., WACV 2020, Fig. 3).

    ``feat`` and ``embedding`` are the same tensor, the pooled feature: there is neither norm nor layer before it.

    Args:
        in_channels: channels C of the feature map; feat and embedding have as many.
        num_classes: identities; 0 makes no classifier.
        width, dropout, slope: of the ``HiddenClassifier``.
        pooling: by its name, see ``build_pooling``.
        classifier: its last layer, "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_classes, embedding_dim: sizes of ``logits`` and ``embedding``.
        classifier: takes the embedding; None for 0 identities.
    """

    classifier: HiddenClassifier | None
    num_classes: int

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        width: int = 512,
        dropout: float = 0.5,
        slope: float = 0.1,
        pooling: str = "avg",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, WIDTH, width=width)
        check(self, DROPOUT, dropout=dropout)
        check(self, PROBABILITY, slope=slope)
        check(self, CLASSIFIER, classifier=classifier)
        self.embedding_dim, self.kind = in_channels, classifier
        self.width, self.dropout, self.slope = width, dropout, slope
        self.pooling = build_pooling(pooling)
        self.reset_classifier(num_classes)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` and ``embedding``, both (B, C), in training also ``logits`` (B, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        feat = self.pooling(maps)
        outputs = {"feat": feat, "embedding": feat}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(feat)
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifier by a new one, as ``BNNeck.reset_classifier`` does.

        Raises:
            ValueError: centroids are given, which cannot be the weights of two layers.
        """
        if centroids is not None:
            raise ValueError("MLPHead: class means cannot be the weights of a classifier of two layers")
        if num_classes < 0:
            raise ValueError(f"num_classes must be 0 or more, got {num_classes}")
        arguments = (self.embedding_dim, num_classes, self.width, self.dropout, self.slope, self.kind)
        set_classifier(self, HiddenClassifier(*arguments) if num_classes else None, num_classes)
