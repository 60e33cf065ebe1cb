"""A model of two networks, one for queries and one for the gallery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from reidzoo.checks import FLAG, NODE, check, optional
from reidzoo.errors import ConfigError
from reidzoo.models.embedder import Embedder
from reidzoo.registry import MODEL

__all__ = ["TwoViewEmbedder"]


@MODEL.register_module()
class TwoViewEmbedder(nn.Module):
    """Two embedders into one space, without common weights: M_s and M_t of Wu et al. (arXiv 1904.01755).

    Args:
        backbone: node of the query network's ``BACKBONE``.
        head: node of the query network's ``HEAD``.
        num_classes: identities that either head tells apart; 0 for none.
        gallery_backbone: node of the gallery network's backbone; as ``backbone`` if None.
        gallery_head: node of its head; as ``head`` if None.
        normalise: whether ``embed_query`` and ``embed_gallery`` give embeddings of norm 1.

    Attributes:
        query, gallery: the two embedders.

    Raises:
        ConfigError: a node is wrong, or the two embeddings differ in dimension.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        head: Mapping[str, Any],
        num_classes: int = 0,
        gallery_backbone: Mapping[str, Any] | None = None,
        gallery_head: Mapping[str, Any] | None = None,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        check(self, optional(NODE), gallery_backbone=gallery_backbone, gallery_head=gallery_head)
        check(self, FLAG, normalise=normalise)
        self.normalise = normalise
        self.query = Embedder(backbone, head, num_classes)
        self.gallery = Embedder(gallery_backbone or backbone, gallery_head or head, num_classes)
        dims = (self.query.embedding_dim, self.gallery.embedding_dim)
        if dims[0] != dims[1]:
            raise ConfigError(
                f"TwoViewEmbedder: the query network embeds into {dims[0]} dimensions, the gallery's into {dims[1]}; "
                f"give the heads an equal embedding_dim"
            )

    @property
    def num_classes(self) -> int:
        """Number of identities of either head's classifier, 0 without one."""
        return self.query.num_classes

    @property
    def embedding_dim(self) -> int:
        """D of either embedding."""
        return self.query.embedding_dim

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what both networks make of images (B, 3, H, W): ``feat`` ... of the query network's head, and the same
        of the gallery's as ``gallery_feat`` ...
        """
        outputs = self.query(images)
        return {**outputs, **{f"gallery_{name}": value for name, value in self.gallery(images).items()}}

    def embed_query(self, images: torch.Tensor) -> torch.Tensor:
        """Return the query network's embedding (B, D), float32, of images (B, 3, H, W)."""
        return self._embed(self.query, images)

    def embed_gallery(self, images: torch.Tensor) -> torch.Tensor:
        """Return the gallery network's embedding (B, D), float32, of images (B, 3, H, W)."""
        return self._embed(self.gallery, images)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Return the query network's embedding (B, D), L2-normalised, for callers that know of one network only."""
        return self.query.embed(images)

    def reset_classifier(self, num_classes: int, centroids: torch.Tensor | None = None) -> None:
        """Give both heads a new classifier."""
        self.query.reset_classifier(num_classes, centroids)
        self.gallery.reset_classifier(num_classes, centroids)

    def _embed(self, network: Embedder, images: torch.Tensor) -> torch.Tensor:
        if self.normalise:
            return network.embed(images)
        return network.head(network.maps(images))["embedding"].float()
