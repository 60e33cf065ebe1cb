"""Samplers: which images make up the batches of an epoch."""

from __future__ import annotations

from reidzoo.samplers.base import BatchSampler
from reidzoo.samplers.camera_balanced import CameraBalancedSampler
from reidzoo.samplers.domain_balanced import DomainBalancedSampler
from reidzoo.samplers.identity import IdentitySampler
from reidzoo.samplers.label_columns import LabelColumns
from reidzoo.samplers.naive_identity import NaiveIdentitySampler
from reidzoo.samplers.shuffle import ShuffleSampler
from reidzoo.samplers.source_target import SourceTargetSampler

__all__ = [
    "BatchSampler", "CameraBalancedSampler", "DomainBalancedSampler", "IdentitySampler", "LabelColumns",
    "NaiveIdentitySampler", "ShuffleSampler", "SourceTargetSampler",
]  # fmt: skip
