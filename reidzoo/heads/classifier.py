"""The linear identity classifier of the heads, which is replaced when the identities change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import Rule, one_of
from reidzoo.heads.cosine_classifier import CosineClassifier

__all__ = ["CLASSIFIER", "build_classifier", "set_classifier"]

CLASSIFIER: Rule = one_of("linear", "cosine")
"""What an argument ``classifier`` of a head may be."""


class _Head(Protocol):
    """A head with a classifier to replace."""

    classifier: Any  # a module of the head's own kind, or None
    num_classes: int

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the head's parameters."""


def build_classifier(
    in_features: int,
    num_classes: int,
    *,
    bias: bool,
    centroids: torch.Tensor | None = None,
    kind: str = "linear",
) -> nn.Linear | None:
    """Return a linear classifier or one by cosines, None for 0 classes.

    Weights are N(0, 0.001), drawn on the CPU so that they do not depend on the device; with centroids they are those,
    L2-normalised. The bias is 0.

    Args:
        in_features: D of the embedding.
        num_classes: number of identities C.
        bias: whether a linear one has a bias; a ``CosineClassifier`` has none.
        centroids: (C, D) or None.
        kind: "linear" or "cosine".

    Raises:
        ValueError: ``num_classes`` is negative, or the centroids are not (C, D).
    """
    if num_classes < 0:
        raise ValueError(f"num_classes must be 0 or more, got {num_classes}")
    if centroids is not None and tuple(centroids.shape) != (num_classes, in_features):
        raise ValueError(f"centroids must be ({num_classes}, {in_features}), got {tuple(centroids.shape)}")
    if num_classes == 0:
        return None
    bias = bias and kind == "linear"
    classifier = (
        CosineClassifier(in_features, num_classes)
        if kind == "cosine"
        else nn.Linear(in_features, num_classes, bias=bias)
    )
    with torch.no_grad():
        if centroids is None:
            classifier.weight.normal_(0.0, 0.001)
        else:
            classifier.weight.copy_(functional.normalize(centroids.detach().to("cpu", torch.float32), dim=1))
        if bias:
            classifier.bias.zero_()
    return classifier


def set_classifier(head: _Head, classifier: nn.Module | None, num_classes: int) -> None:
    """Give ``head`` its ``classifier``, on the device and in the type of its parameters, and its ``num_classes``."""
    parameter = next(head.parameters(), None)  # a head without a layer has none before its first classifier
    if classifier is not None and parameter is not None:
        classifier = classifier.to(parameter.device, parameter.dtype)
    head.classifier, head.num_classes = classifier, num_classes
