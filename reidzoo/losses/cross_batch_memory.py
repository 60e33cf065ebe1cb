"""XBM: a loss of pairs that compares the batch with those before it, too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.checks import NODE, check, number, whole
from reidzoo.errors import ConfigError
from reidzoo.registry import LOSS

__all__ = ["CrossBatchMemoryLoss"]

OTHERS = (("other_feat", "other_pid"), ("ref_emb", "ref_labels"))
"""What a loss calls the features and identities that it compares a batch with: ours, and pytorch-metric-learning's."""


@LOSS.register_module()
class CrossBatchMemoryLoss(nn.Module):
    """A loss of the batch's pairs plus the same loss of the pairs of the batch with features of earlier batches.

    Wang et al., "Cross-batch memory for embedding learning" (CVPR 2020), Algorithm 1: a queue holds the last features,
    as they were when they came, without gradient. In training the batch joins it afterwards; in the authors' code it
    does so before, so that each image is compared with itself.

    Args:
        loss: node of a LOSS that takes ``other_feat`` and ``other_pid``, such as ``ContrastiveLoss``, ``CircleLoss``,
            ``TripletLoss``, ``WeightedRegularizedTripletLoss``; or one of pytorch-metric-learning, which takes
            ``ref_emb`` and ``ref_labels``.
        dim: D of the features; a configuration may leave it out where it is the embedding's.
        size: how many features the queue holds, 1 to 10 million.
        memory_weight: factor of the second loss, 0 or more.
        begin: the first batch, counted from 0, that is compared with the queue: features move too much before.

    Raises:
        ConfigError: an argument is out of its range, or the loss has no second set of features.
    """

    features: Tensor
    labels: Tensor
    counts: Tensor

    def __init__(
        self, loss: Mapping[str, Any], dim: int, size: int = 8192, memory_weight: float = 1.0, begin: int = 0
    ) -> None:
        super().__init__()
        check(self, NODE, loss=loss)
        check(self, whole(1, 65536), dim=dim)
        check(self, whole(1, 10**7), size=size)
        check(self, number(0), memory_weight=memory_weight)
        check(self, whole(0), begin=begin)
        self.loss = LOSS.build(loss)
        self.size, self.memory_weight, self.begin = size, memory_weight, begin
        self.others = _others(self.loss)
        self.register_buffer("features", torch.zeros(size, dim))
        self.register_buffer("labels", torch.full((size,), -1))
        self.register_buffer("counts", torch.zeros(2, dtype=torch.int64))
        self._rows = self._batches = 0  # what ``counts`` holds, known without waiting for the device

    def forward(self, feat: Tensor, pid: Tensor) -> Tensor:
        """Return the scalar loss.

        Args:
            feat: (B, D).
            pid: (B,) identities.

        Raises:
            ConfigError: the features are not of dimension D.
            ValueError: a pid is negative: no identity.
        """
        if feat.dim() != 2 or feat.shape[1] != self.features.shape[1]:
            shape = tuple(feat.shape)
            raise ConfigError(f"CrossBatchMemoryLoss: dim is {self.features.shape[1]}, the features are {shape}")
        total = self.loss(feat, pid)
        held = min(self._rows, self.size)
        if held and self._batches >= self.begin:
            memory = dict(zip(self.others, (self.features[:held].clone(), self.labels[:held].clone())))
            total = total + self.memory_weight * self.loss(feat, pid, **memory)
        if self.training:
            self._keep(feat.detach(), pid)
        return total

    @torch.no_grad()
    def _keep(self, feat: Tensor, pid: Tensor) -> None:
        """Put the batch's last features in the places of the oldest."""
        feat, pid = feat[-self.size :], pid[-self.size :]
        places = (torch.arange(len(pid), device=pid.device) + self._rows) % self.size
        self.features.index_copy_(0, places, feat.to(self.features.dtype))
        self.labels.index_copy_(0, places, pid)
        self._rows, self._batches = self._rows + len(pid), self._batches + 1
        self.counts[0] += len(pid)
        self.counts[1] += 1

    def reset_classes(self, num_classes: int) -> None:
        """Empty the queue, since pseudo labels have changed the classes; the batches stay counted."""
        self.features.zero_()
        self.labels.fill_(-1)
        self.counts[0] = self._rows = 0
        if hasattr(self.loss, "reset_classes"):
            self.loss.reset_classes(num_classes)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._rows, self._batches = self.counts.tolist()

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"size={self.size}, memory_weight={self.memory_weight}, begin={self.begin}"


def _others(loss: Any) -> tuple[str, str]:
    """Return what a loss calls the second set's features and identities."""
    if isinstance(loss, nn.Module):
        parameters = inspect.signature(loss.forward).parameters
        for names in OTHERS:
            if set(names) <= set(parameters):
                return names
    raise ConfigError(
        f"CrossBatchMemoryLoss: {type(loss).__name__} cannot compare a batch with other features; its forward has to "
        f"take other_feat and other_pid, as that of ContrastiveLoss or CircleLoss"
    )
