"""A classifier on each branch of a model."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.heads.classifier import build_classifier

__all__ = ["BranchClassifier"]


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
