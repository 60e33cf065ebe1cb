"""Models: backbone and head composed, batch-norm conversions, safe and strict weight loading."""

from __future__ import annotations

from reidzoo.models.batch_norm import (
    DomainBatchNorm,
    GlobalBatchNorm,
    GroupBatchNorm,
    convert_batch_norm,
    deferred_statistics,
    split_batch_norm,
)
from reidzoo.models.embedder import Embedder
from reidzoo.models.two_view_embedder import TwoViewEmbedder
from reidzoo.weights.loading import load_weights, safe_read

__all__ = [
    "DomainBatchNorm",
    "Embedder",
    "GlobalBatchNorm",
    "GroupBatchNorm",
    "TwoViewEmbedder",
    "convert_batch_norm",
    "deferred_statistics",
    "load_weights",
    "safe_read",
    "split_batch_norm",
]
