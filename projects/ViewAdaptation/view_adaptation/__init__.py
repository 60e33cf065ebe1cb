"""Parts of the cross-entropy adversarial view adaptation (Wu et al., arXiv 1904.01755)."""

from __future__ import annotations

from view_adaptation.similarity_discriminator import SimilarityDiscriminator
from view_adaptation.similarity_loss import SimilarityLoss, adaptive_weights
from view_adaptation.trainer import ViewAdaptationTrainer
from view_adaptation.view_confusion_loss import ViewConfusionLoss
from view_adaptation.view_pair_sampler import ViewPairSampler

__all__ = [
    "SimilarityDiscriminator", "SimilarityLoss", "ViewAdaptationTrainer", "ViewConfusionLoss",
    "ViewPairSampler", "adaptive_weights",
]  # fmt: skip
