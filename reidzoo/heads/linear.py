"""The plain head: pooling, an optional fully connected layer, a classifier."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import DROPOUT, check, whole
from reidzoo.heads.classifier import CLASSIFIER, build_classifier, set_classifier
from reidzoo.heads.linear_norm_relu import linear_norm_relu
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["LinearHead"]


@HEAD.register_module()
class LinearHead(nn.Module):
    """Pooling, then with ``embedding_dim`` Linear + BN + ReLU, then dropout and a classifier, linear with bias.

    ``feat`` and ``embedding`` are the same tensor, taken before the dropout. With ``embedding_dim=512`` this is the
    head of OSNet (Zhou et al., ICCV 2019), under torchreid's names ``fc`` and ``classifier``.

    Args:
        in_channels: channels C of the feature map.
        num_classes: identities; 0 makes no classifier.
        embedding_dim: outputs of the fully connected layer (Kaiming normal, fan out; bias 0); 0 leaves it out.
        dropout: probability that the classifier does not see a feature, in training; in [0, 1).
        pooling: by its name, see ``build_pooling``.
        classifier: "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_classes, embedding_dim: sizes of ``logits`` and ``embedding``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        embedding_dim: int = 0,
        dropout: float = 0.0,
        pooling: str = "avg",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, whole(0, 65536), embedding_dim=embedding_dim)
        check(self, DROPOUT, dropout=dropout)
        check(self, CLASSIFIER, classifier=classifier)
        self.embedding_dim = embedding_dim or in_channels
        self.num_classes, self.kind = num_classes, classifier
        self.pooling = build_pooling(pooling)
        self.fc = linear_norm_relu(in_channels, embedding_dim) if embedding_dim else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = build_classifier(self.embedding_dim, num_classes, bias=True, kind=classifier)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` and ``embedding``, both (B, D), in training also ``logits`` (B, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        feat = self.pooling(maps)
        if self.fc is not None:
            feat = self.fc(feat)
        outputs = {"feat": feat, "embedding": feat}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(self.dropout(feat))
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifier by a new one, as ``BNNeck.reset_classifier`` does."""
        classifier = build_classifier(self.embedding_dim, num_classes, bias=True, centroids=centroids, kind=self.kind)
        set_classifier(self, classifier, num_classes)
