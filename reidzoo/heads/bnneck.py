"""BNNeck: batch norm between the feature of the metric loss and the feature of the classifier."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import FLAG, check, whole
from reidzoo.heads.classifier import CLASSIFIER, build_classifier, set_classifier
from reidzoo.heads.pooling import build_pooling
from reidzoo.registry import HEAD

__all__ = ["BNNeck"]


@HEAD.register_module()
class BNNeck(nn.Module):
    """Pooling -> f_t, batch norm -> f_i, classifier without bias (Luo et al., CVPRW 2019, Fig. 5).

    Metric losses take f_t (``feat``); the classifier and retrieval take f_i (``embedding``). With ``embedding_dim`` a
    linear layer without bias stands between the pooling and f_t, as in fastreid's ``EmbeddingHead``, which gives the
    metric loss what comes before that layer, however.

    Args:
        in_channels: channels C of the feature map.
        num_classes: identities; 0 makes no classifier.
        pooling: by its name, see ``build_pooling``.
        bias_frozen: keep the batch norm's bias at 0, so that the classifier's hyperplanes pass through the origin.
        embedding_dim: D of feat and embedding (the layer's weights are Kaiming normal, fan out); 0 for C, without it.
        classifier: "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_classes, embedding_dim: sizes of ``logits`` and ``embedding``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        pooling: str = "avg",
        bias_frozen: bool = True,
        embedding_dim: int = 0,
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, FLAG, bias_frozen=bias_frozen)
        check(self, whole(0, 65536), embedding_dim=embedding_dim)
        check(self, CLASSIFIER, classifier=classifier)
        self.embedding_dim = embedding_dim or in_channels
        self.num_classes, self.kind = num_classes, classifier
        self.pooling = build_pooling(pooling)
        self.reduction = None
        if embedding_dim:
            self.reduction = nn.Linear(in_channels, embedding_dim, bias=False)
            nn.init.kaiming_normal_(self.reduction.weight, mode="fan_out")
        self.bn = nn.BatchNorm1d(self.embedding_dim)
        self.bn.bias.requires_grad_(not bias_frozen)
        self.classifier = build_classifier(self.embedding_dim, num_classes, bias=False, kind=classifier)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` and ``embedding``, both (B, D), in training also ``logits`` (B, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        feat = self.pooling(maps)
        if self.reduction is not None:
            feat = self.reduction(feat)
        outputs = {"feat": feat, "embedding": self.bn(feat)}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(outputs["embedding"])
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifier by a new one, on the head's device.

        Its weight is a new parameter, also when the number of classes is the same: optimizers have to be told.

        Args:
            num_classes: identities; 0 removes the classifier.
            centroids: (num_classes, D) class means, whose L2-normalised rows become the weights; None draws
                N(0, 0.001).

        Raises:
            ValueError: the shapes do not fit.
        """
        classifier = build_classifier(self.embedding_dim, num_classes, bias=False, centroids=centroids, kind=self.kind)
        set_classifier(self, classifier, num_classes)
