"""Parts of Mutual Mean-Teaching (Ge, Chen, Li: ICLR 2020)."""

from __future__ import annotations

from mmt.adaptive_dbscan import AdaptiveDBSCAN
from mmt.mean_embedding import MeanEmbedding
from mmt.mutual_mean_trainer import MutualMeanTrainer
from mmt.source_pretrain_trainer import SourcePretrainTrainer

__all__ = ["AdaptiveDBSCAN", "MeanEmbedding", "MutualMeanTrainer", "SourcePretrainTrainer"]
