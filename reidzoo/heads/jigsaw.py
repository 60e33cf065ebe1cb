"""The head of a global feature and several local ones, each with a neck and a classifier: TransReID's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import check, one_of, whole
from reidzoo.half_precision import widen
from reidzoo.heads.branch_classifier import BranchClassifier, set_branch_classifier
from reidzoo.heads.classifier import CLASSIFIER
from reidzoo.registry import HEAD

__all__ = ["JigsawHead"]


@HEAD.register_module()
class JigsawHead(nn.Module):
    """A batch norm and a classifier for each row of a map: the global feature, then local ones (He et al., ICCV 2021).

    It stands on ``JigsawViT``, whose map has 1 + p rows; another map is pooled (average) to so many. The embedding is
    the global feature and the local ones divided by p, side by side, as in the authors' code. The paper's losses are
    half the global branch's and half the mean of the local ones': they take ``logits.0`` and ``part_feats.0``, or all.

    Args:
        in_channels: channels C of the map.
        num_classes: identities; 0 makes no classifier.
        parts: p.
        embedding: "before" the batch norms, as in the authors' configurations, or "after" them.
        classifier: "linear", with a bias that the authors' have not, or "cosine".

    Attributes:
        num_classes, embedding_dim: classes, and (1 + p) C.
        classifier: takes the features after the batch norms; None for 0 identities.
    """

    classifier: BranchClassifier | None
    num_classes: int

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 0,
        parts: int = 4,
        embedding: str = "before",
        classifier: str = "linear",
    ) -> None:
        super().__init__()
        check(self, whole(1, 64), parts=parts)
        check(self, one_of("before", "after"), embedding=embedding)
        check(self, CLASSIFIER, classifier=classifier)
        self.parts, self.retrieves, self.kind = parts, embedding, classifier
        self.embedding_dim = (1 + parts) * in_channels
        self.bns = nn.ModuleList(nn.BatchNorm1d(in_channels) for _ in range(1 + parts))
        for norm in self.bns:
            norm.bias.requires_grad_(False)
        self.reset_classifier(num_classes)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat`` (B, C), the global one, ``part_feats`` (B, 1 + p, C), and ``embedding`` (B, (1 + p) C).

        ``part_embeddings`` (B, 1 + p, C) are the features after the batch norms.

        In training there are also ``logits`` (B, 1 + p, num_classes).

        Args:
            maps: (B, C, h, w).
        """
        rows = widen(functional.adaptive_avg_pool2d(maps, (1 + self.parts, 1))[..., 0].transpose(1, 2))
        normed = torch.stack([norm(row) for norm, row in zip(self.bns, rows.unbind(1))], dim=1)
        chosen = normed if self.retrieves == "after" else rows
        embedding = torch.cat([chosen[:, 0], chosen[:, 1:].flatten(1) / self.parts], dim=1)
        outputs = {"feat": rows[:, 0], "part_feats": rows, "part_embeddings": normed, "embedding": embedding}
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier(normed.flatten(1))
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace the classifiers by new ones, as ``BNNeck.reset_classifier`` does.

        Args:
            num_classes: identities; 0 removes them.
            centroids: (num_classes, (1 + p) C) class means of the embedding; each branch's rows are its part of them.

        Raises:
            ValueError: the shapes do not fit.
        """
        set_branch_classifier(self, self.embedding_dim, num_classes, 1 + self.parts, centroids, self.kind)
