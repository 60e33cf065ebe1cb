"""The parts that ARN adds (Li et al., CVPRW 2018)."""

from __future__ import annotations

from arn.difference_loss import DifferenceLoss
from arn.fcn_encoder import FCNEncoder
from arn.feature_decoder import FeatureDecoder
from arn.image_decoder import ImageDecoder
from arn.shared_private_network import SharedPrivateNetwork
from arn.trainer import ARNTrainer

__all__ = [
    "ARNTrainer", "DifferenceLoss", "FCNEncoder", "FeatureDecoder", "ImageDecoder", "SharedPrivateNetwork",
]  # fmt: skip
