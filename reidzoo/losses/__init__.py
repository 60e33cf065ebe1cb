"""Losses: modules whose ``forward`` names the tensors it takes, and the set that a configuration builds of them."""

from __future__ import annotations

from reidzoo.losses.arcface import ArcFaceLoss
from reidzoo.losses.calibrated_negative_entropy import CalibratedNegativeEntropyLoss
from reidzoo.losses.center import CenterLoss
from reidzoo.losses.circle import CircleLoss
from reidzoo.losses.circle_softmax import CircleSoftmaxLoss
from reidzoo.losses.contrastive import ContrastiveLoss
from reidzoo.losses.cosface import CosFaceLoss
from reidzoo.losses.cross_batch_memory import CrossBatchMemoryLoss
from reidzoo.losses.cross_entropy import CrossEntropyLoss
from reidzoo.losses.domain_balance import DomainBalanceLoss
from reidzoo.losses.instance import InstanceLoss
from reidzoo.losses.invariance import InvarianceLoss
from reidzoo.losses.learnt_center import LearntCenterLoss
from reidzoo.losses.loss_set import LossSet
from reidzoo.losses.margin_softmax import MarginSoftmaxLoss
from reidzoo.losses.mmd import MMDLoss
from reidzoo.losses.negated_cross_entropy import NegatedCrossEntropyLoss
from reidzoo.losses.negative_entropy import NegativeEntropyLoss
from reidzoo.losses.soft_cross_entropy import SoftCrossEntropyLoss
from reidzoo.losses.soft_triplet import SoftTripletLoss
from reidzoo.losses.symmetric_kl import SymmetricKLLoss
from reidzoo.losses.triplet import TripletLoss
from reidzoo.losses.weighted_regularized_triplet import WeightedRegularizedTripletLoss

__all__ = [
    "ArcFaceLoss", "CalibratedNegativeEntropyLoss", "CenterLoss", "CircleLoss", "CircleSoftmaxLoss", "ContrastiveLoss",
    "CosFaceLoss", "CrossBatchMemoryLoss", "CrossEntropyLoss", "DomainBalanceLoss", "InstanceLoss", "InvarianceLoss",
    "LearntCenterLoss", "LossSet", "MMDLoss", "MarginSoftmaxLoss", "NegatedCrossEntropyLoss", "NegativeEntropyLoss",
    "SoftCrossEntropyLoss", "SoftTripletLoss", "SymmetricKLLoss", "TripletLoss", "WeightedRegularizedTripletLoss",
]  # fmt: skip
