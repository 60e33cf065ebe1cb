"""Batch norm over groups of a batch, over the batch of all processes, and per domain.

Which images share batch statistics is part of a method: codes that ran ``DataParallel`` on four GPUs had statistics
over a quarter of the batch, and their numbers depend on it. Here it is explicit. ``convert_batch_norm`` and
``split_batch_norm`` change every ``nn.BatchNorm`` of a model, also those within IBN; both keep the parameters.
"""

from __future__ import annotations

from reidzoo.models.batch_norm.convert import convert_batch_norm, split_batch_norm
from reidzoo.models.batch_norm.domain_batch_norm import DomainBatchNorm
from reidzoo.models.batch_norm.global_batch_norm import GlobalBatchNorm
from reidzoo.models.batch_norm.group_batch_norm import GroupBatchNorm
from reidzoo.models.batch_norm.running_statistics import (
    deferred_statistics,
    immediate_statistics,
    joint_statistics,
    kept_statistics,
)

__all__ = [
    "DomainBatchNorm", "GlobalBatchNorm", "GroupBatchNorm", "convert_batch_norm", "deferred_statistics",
    "immediate_statistics", "joint_statistics", "kept_statistics", "split_batch_norm",
]  # fmt: skip
