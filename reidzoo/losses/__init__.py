"""Losses: modules whose ``forward`` names the tensors it takes, and the set that a configuration builds of them."""

from __future__ import annotations

from reidzoo.losses.calibrated_negative_entropy import CalibratedNegativeEntropyLoss
from reidzoo.losses.center import CenterLoss
from reidzoo.losses.contrastive import ContrastiveLoss
from reidzoo.losses.cross_entropy import CrossEntropyLoss
from reidzoo.losses.domain_confusion import DomainBalanceLoss, SymmetricKLLoss
from reidzoo.losses.invariance import InvarianceLoss
from reidzoo.losses.loss_set import LossSet
from reidzoo.losses.mmd import MMDLoss
from reidzoo.losses.negated_cross_entropy import NegatedCrossEntropyLoss
from reidzoo.losses.negative_entropy import NegativeEntropyLoss
from reidzoo.losses.triplet import TripletLoss

__all__ = [
    "CalibratedNegativeEntropyLoss", "CenterLoss", "ContrastiveLoss", "CrossEntropyLoss", "DomainBalanceLoss",
    "InvarianceLoss", "LossSet", "MMDLoss", "NegatedCrossEntropyLoss", "NegativeEntropyLoss", "SymmetricKLLoss",
    "TripletLoss",
]  # fmt: skip
