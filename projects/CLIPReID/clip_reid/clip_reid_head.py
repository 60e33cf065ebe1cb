"""CLIP-ReID's head: the image's token, its projection into the space of texts, and a neck for each."""

from __future__ import annotations

import torch
from torch import nn

from reidzoo.checks import WIDTH, check
from reidzoo.errors import ConfigError
from reidzoo.heads import AvgPool
from reidzoo.heads.classifier import build_classifier, set_classifier
from reidzoo.registry import HEAD

__all__ = ["CLIPReIDHead"]


@HEAD.register_module()
class CLIPReIDHead(nn.Module):
    """Three features of an image for triplet losses, two for classifiers, as CLIP-ReID's authors' code has them.

    They are the last layer's token t, that of the layer before, and t's projection, which texts are compared with. t
    and the projection have a batch norm and a classifier each. Retrieval takes t and the projection, side by side,
    before their norms::

        LOSSES:
          id: {type: CrossEntropyLoss, smoothing: 0.1}
          id_projected: {type: CrossEntropyLoss, smoothing: 0.1, inputs: {logits: projected_logits}}
          triplet: {type: TripletLoss, margin: 0.3}
          triplet_before: {type: TripletLoss, margin: 0.3, inputs: {feat: before}}
          triplet_projected: {type: TripletLoss, margin: 0.3, inputs: {feat: projected}}

    Args:
        in_channels: 2 C, both tokens, as ``LastTokens`` returns them.
        num_classes: identities; 0 makes no classifier.
        width: P, of the projection; 512 for ViT-B/16.

    Attributes:
        num_classes, embedding_dim: classes, and C + P.
        projection: the image tower's projection, without bias.
        classifier: ``token`` and ``projected``; None for 0 identities.

    Raises:
        ConfigError: the channels are not those of two tokens.
    """

    classifier: nn.ModuleDict | None
    num_classes: int

    def __init__(self, in_channels: int, num_classes: int = 0, width: int = 512) -> None:
        super().__init__()
        check(self, WIDTH, width=width)
        if in_channels % 2:
            raise ConfigError(f"CLIPReIDHead takes the tokens of two layers, such as LastTokens', got {in_channels}")
        token = in_channels // 2
        self.sizes = {"token": token, "projected": width}
        self.embedding_dim = token + width
        self.pooling = AvgPool()
        self.projection = nn.Linear(token, width, bias=False)
        nn.init.normal_(self.projection.weight, std=token**-0.5)
        self.norms = nn.ModuleDict({name: nn.BatchNorm1d(size) for name, size in self.sizes.items()})
        for norm in self.norms.values():
            norm.bias.requires_grad_(False)
        self.reset_classifier(num_classes)

    def forward(self, maps: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``feat``, ``before`` (B, C), ``projected`` (B, P) and ``embedding`` (B, C + P).

        In training there are also ``logits`` and ``projected_logits``, (B, num_classes).

        Args:
            maps: (B, 2 C, h, w); tokens are 1 x 1.
        """
        token, before = self.pooling(maps).chunk(2, dim=1)
        projected = self.projection(token).to(token.dtype)
        outputs = {"feat": token, "before": before, "projected": projected}
        outputs["embedding"] = torch.cat([token, projected], dim=1)
        if self.training and self.classifier is not None:
            outputs["logits"] = self.classifier["token"](self.norms["token"](token))
            outputs["projected_logits"] = self.classifier["projected"](self.norms["projected"](projected))
        return outputs

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Replace both classifiers by new ones, as ``BNNeck.reset_classifier`` does.

        Args:
            num_classes: identities; 0 removes them.
            centroids: (num_classes, C + P) class means; each classifier takes its part of them.
        """
        parts = [None, None] if centroids is None else centroids.split(list(self.sizes.values()), dim=1)
        made = {
            name: build_classifier(size, num_classes, bias=False, centroids=part)
            for (name, size), part in zip(self.sizes.items(), parts, strict=True)
        }
        classifiers = nn.ModuleDict({name: each for name, each in made.items() if each is not None})
        set_classifier(self, classifiers if num_classes else None, num_classes)
