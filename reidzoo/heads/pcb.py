"""PCB: one feature and one classifier for each horizontal stripe."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import DROPOUT, FLAG, WIDTH, check, one_of, whole
from reidzoo.heads.branch_classifier import BranchClassifier, set_branch_classifier
from reidzoo.heads.classifier import CLASSIFIER
from reidzoo.heads.part_reduction import PartReduction
from reidzoo.heads.pooling import build_pooling
from reidzoo.heads.stripes import pool_stripes
from reidzoo.registry import HEAD

__all__ = ["PCBHead"]


@HEAD.register_module()
class PCBHead(nn.Module):
    """The part-based convolutional baseline (Sun et al., ECCV 2018, Fig. 2): p stripes, each reduced and classified.

    The map is pooled over p horizontal stripes to g_i; each goes through dropout and a 1 x 1 convolution with batch
    norm and ReLU to h_i, and h_i to a classifier of its own: the logits are (B, p, num_classes), and cross entropy adds
    up its values of the branches. Batch norm, ReLU and dropout are the authors' code's, where all stripes share the
    convolution. A triplet loss of stripes takes ``part_feats``, all of them or, as ``part_feats.0``, one.

    Args:
        in_channels: channels C of the feature map; the paper's backbone has ``last_stride: 1``.
        num_classes: identities; 0 makes no classifier.
        parts: p, 1 to 64.
        width: of each h_i.
        dropout: probability that the convolution does not see a channel of a g_i, in training; in [0, 1).
        shared: one convolution for all stripes; else each has its own.
        embedding: "reduced", H, the h_i side by side; or "pooled", G, the g_i, each L2-normalised as in the code.
        pooling: by its name, see ``build_pooling``; "avg" in the paper.
        classifier: "linear", or "cosine" (``CosineClassifier``) for losses of margin softmax.

    Attributes:
        num_classes, embedding_dim: classes, and p times the width, or times C.
        classifier: takes H; None for 0 identities.
    """

    classifier: BranchClassifier | None
    num_classes: int

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        parts: int = 6,
        width: int = 256,
        dropout: float = 0.5,
        shared: bool = True,
        embedding: str = "reduced",
        pooling: str = "avg",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, whole(1, 64), parts=parts)
        check(self, WIDTH, width=width)
        check(self, DROPOUT, dropout=dropout)
        check(self, FLAG, shared=shared)
        check(self, one_of("reduced", "pooled"), embedding=embedding)
        check(self, CLASSIFIER, classifier=classifier)
        self.parts, self.width, self.kind = parts, width, classifier
        self.retrieves = embedding
        self.embedding_dim = parts * (width if embedding == "reduced" else in_channels)
        self.pooling = build_pooling(pooling)
        self.dropout = nn.Dropout(dropout)
        self.reduction = PartReduction(in_channels, width, parts, shared)
        self.reset_classifier(num_classes)

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the g_i (B, p, C) of maps (B, C, h, w), from the top down."""
        return pool_stripes(maps, self.parts, self.pooling)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` (B, p width), H, ``embedding`` (B, D) and ``part_feats`` (B, p, width), the h_i.

        In training there are also ``logits`` (B, p, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        pooled = self.pool(maps)
        parts = self.reduction(self.dropout(pooled))
        feat = parts.flatten(1)
        embedding = feat if self.retrieves == "reduced" else functional.normalize(pooled, dim=2).flatten(1)
        outputs = {"feat": feat, "embedding": embedding, "part_feats": parts}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(feat)
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifiers by new ones, as ``BNNeck.reset_classifier`` does.

        Args:
            num_classes: identities; 0 removes them.
            centroids: (num_classes, p width) class means of H; each stripe's rows are its part of them, L2-normalised.

        Raises:
            ValueError: the shapes do not fit; class means of G cannot be the weights of classifiers of H.
        """
        if centroids is not None and centroids.shape[1] != self.parts * self.width:
            raise ValueError(f"{type(self).__name__}: its classifiers take {self.parts} x {self.width} features")
        set_branch_classifier(self, self.parts * self.width, num_classes, self.parts, centroids, self.kind)
