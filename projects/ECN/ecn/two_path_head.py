"""ECN's head: one layer, then a path for the source and one for the target."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidzoo.checks import DROPOUT, WIDTH, check
from reidzoo.directions import directions
from reidzoo.heads.classifier import build_classifier, set_classifier
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["TwoPathHead"]


@HEAD.register_module()
class TwoPathHead(nn.Module):
    """Pooling, FC-4096 and batch norm; then ReLU, dropout and classifier, or L2 norm and dropout (ECN, Fig. 2).

    Retrieval takes the pooled map (``embedding``), not the new layer. In training both paths are computed for every
    image: the trainer takes ``logits`` of the source's and ``exemplar`` of the target's.

    The text stores "the L2-normalised feature of FC-4096"; in the authors' code what is compared and stored is that
    feature after dropout, with an expected norm of the square root of 2. ``target_dropout: 0`` is the text's.

    Args:
        in_channels: channels C of the feature map.
        num_classes: identities of the source; 0 makes no classifier.
        features: outputs of the fully connected layer (Kaiming normal, fan out; bias 0).
        dropout: before the classifier.
        target_dropout: after the normalisation of the target's path.
        pooling: "avg", "max" or "gem".

    Attributes:
        num_classes, embedding_dim: sizes of ``logits`` and ``embedding``.
        exemplar_dim: the size of ``exemplar`` and ``feat``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        features: int = 4096,
        dropout: float = 0.5,
        target_dropout: float = 0.5,
        pooling: str = "avg",
    ) -> None:
        super().__init__()
        check(self, WIDTH, features=features)
        check(self, DROPOUT, dropout=dropout, target_dropout=target_dropout)
        self.embedding_dim, self.exemplar_dim, self.num_classes = in_channels, features, num_classes
        self.pooling = build_pooling(pooling)
        self.fc = nn.Linear(in_channels, features)
        self.bn = nn.BatchNorm1d(features)
        self.dropout, self.target_dropout = nn.Dropout(dropout), nn.Dropout(target_dropout)
        self.classifier = build_classifier(features, num_classes, bias=True)
        nn.init.kaiming_normal_(self.fc.weight, mode="fan_out")
        nn.init.zeros_(self.fc.bias)

    def forward(self, maps: Tensor) -> dict[str, Tensor]:
        """Return ``embedding`` (B, C) and ``feat`` (B, features), in training also ``exemplar`` and ``logits``.

        Args:
            maps: (B, C, h, w).
        """
        embedding = self.pooling(maps)
        feat = self.bn(self.fc(embedding))
        outputs = {"feat": feat, "embedding": embedding}
        if self.training:
            outputs["exemplar"] = self.target_dropout(directions(feat.float()))
            if self.classifier is not None:
                outputs["logits"] = self.classifier(self.dropout(torch.relu(feat)))
        return outputs

    def reset_classifier(self, num_classes: int, centroids: Tensor | None = None) -> None:
        """Replace the classifier by a new one, as ``reidzoo.heads.BNNeck.reset_classifier`` does."""
        classifier = build_classifier(self.exemplar_dim, num_classes, bias=True, centroids=centroids)
        set_classifier(self, classifier, num_classes)
