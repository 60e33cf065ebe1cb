"""The mean of several networks' embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MeanEmbedding"]


class MeanEmbedding(nn.Module):
    """Networks that embed as one: the mean of their L2-normalised embeddings, itself not normalised."""

    def __init__(self, *models: nn.Module) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.train(models[0].training)

    def embed(self, images: Tensor) -> Tensor:
        """Return the mean embedding (B, D), float32, of images (B, 3, H, W)."""
        models: Iterable[Any] = self.models
        return torch.stack([model.embed(images) for model in models]).mean(0)
