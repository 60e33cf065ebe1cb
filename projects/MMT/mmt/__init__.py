"""Parts of Mutual Mean-Teaching (Ge, Chen, Li: ICLR 2020)."""

from __future__ import annotations

from mmt.adaptive_dbscan import AdaptiveDBSCAN
from mmt.mean_embedding import MeanEmbedding
from mmt.mutual_mean_trainer import MutualMeanTrainer
from mmt.soft_cross_entropy_loss import SoftCrossEntropyLoss
from mmt.soft_triplet_loss import SoftTripletLoss
from mmt.source_pretrain_trainer import SourcePretrainTrainer

__all__ = [
    "AdaptiveDBSCAN", "MeanEmbedding", "MutualMeanTrainer", "SoftCrossEntropyLoss", "SoftTripletLoss",
    "SourcePretrainTrainer",
]  # fmt: skip
