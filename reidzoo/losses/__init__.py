"""Losses: modules whose ``forward`` names the tensors it takes, and the set that a configuration builds of them."""

from __future__ import annotations

from reidzoo.losses.cross_entropy import CrossEntropyLoss
from reidzoo.losses.domain_confusion import DomainBalanceLoss, SymmetricKLLoss
from reidzoo.losses.loss_set import LossSet
from reidzoo.losses.triplet import TripletLoss

__all__ = ["CrossEntropyLoss", "DomainBalanceLoss", "LossSet", "SymmetricKLLoss", "TripletLoss"]
