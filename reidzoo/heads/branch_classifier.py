"""A classifier on each branch of a model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from reidzoo.heads.classifier import build_classifier, set_classifier

__all__ = ["BranchClassifier", "set_branch_classifier"]


class BranchClassifier(nn.Module):
    """n classifiers, each on its n-th of the feature; linear ones have a bias; weights N(0, 0.001), biases 0.

    Args:
        in_features: D of the whole feature, a multiple of ``branches``.
        num_classes: K, at least 1.
        branches: n.
        centroids: (K, D) class means; each branch's weights are then its n-th of them, L2-normalised.
        kind: "linear" or "cosine".

    Raises:
        ValueError: D is not a multiple of n.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        branches: int,
        centroids: torch.Tensor | None = None,
        kind: str = "linear",
    ) -> None:
        super().__init__()
        if in_features % branches:
            raise ValueError(f"a feature of {in_features} cannot be shared by {branches} branches evenly")
        width = in_features // branches
        parts = [None] * branches if centroids is None else centroids.chunk(branches, dim=1)
        classifiers = [build_classifier(width, num_classes, bias=True, centroids=part, kind=kind) for part in parts]
        self.branches = nn.ModuleList(classifier for classifier in classifiers if classifier is not None)

    def forward(self, feat: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, n, K) of ``feat`` (B, D)."""
        parts = feat.chunk(len(self.branches), dim=1)
        return torch.stack([branch(part) for branch, part in zip(self.branches, parts)], dim=1)


def set_branch_classifier(
    head: Any,
    in_features: int,
    num_classes: int,
    branches: int,
    centroids: torch.Tensor | None = None,
    kind: str = "linear",
) -> None:
    """Give ``head`` a new ``BranchClassifier``, or None for 0 identities, and its ``num_classes``.

    Args:
        head: as for ``set_classifier``.
        in_features, num_classes, branches, centroids, kind: as for ``BranchClassifier``, but for 0 identities.

    Raises:
        ValueError: a negative number of identities, or shapes that do not fit.
    """
    if num_classes < 0:
        raise ValueError(f"num_classes must be 0 or more, got {num_classes}")
    made = BranchClassifier(in_features, num_classes, branches, centroids, kind)
    set_classifier(head, made if num_classes else None, num_classes)
