"""Batch norm over the batch of all processes."""

from __future__ import annotations

import torch
from torch.nn import functional

from reidzoo.distributed import world_size
from reidzoo.models.batch_norm.converted_batch_norm import ConvertedBatchNorm
from reidzoo.models.batch_norm.normalise_by_kernels import NormaliseByKernels
from reidzoo.models.batch_norm.normalise_together import NormaliseTogether
from reidzoo.models.batch_norm.running_statistics import moves

__all__ = ["GlobalBatchNorm"]


class GlobalBatchNorm(ConvertedBatchNorm):
    """Batch norm with statistics over the whole batch, also when several processes share it.

    In one process it is ``nn.BatchNorm``. In N, the processes exchange count, mean and sum of squares of each channel
    (one collective forward, one backward), and the shares may differ in size. Unlike ``nn.SyncBatchNorm`` it works with
    gloo on CPU, and on CUDA no layer makes the host wait. Statistics are in float32 also for half-precision maps. The
    arguments are ``nn.BatchNorm2d``'s.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...); in training each process gives its share and every process has to call."""
        self._check_input_dim(maps)
        if not self.training and self.running_mean is not None:
            return self.by_running_statistics(maps)
        if world_size() > 1 and self.training:
            if maps.is_cuda and self.weight is not None and self.bias is not None:
                return self._by_kernels(maps)
            output, mean, variance = NormaliseTogether.apply(maps, self.weight, self.bias, self.eps)
            if not moves.kept:
                self.update(mean, variance)
            return output
        if not (self.training and self.track_running_stats):
            return functional.batch_norm(maps, None, None, self.weight, self.bias, True, 0.0, self.eps)
        mean, variance = self.running_mean, self.running_var
        if moves.kept:  # copies, which move in their place: a pass done again has to keep what the first one kept
            mean, variance, momentum = _copy(mean), _copy(variance), self.momentum or 0.0
        else:
            momentum = self.count_batch()
        return functional.batch_norm(maps, mean, variance, self.weight, self.bias, True, momentum, self.eps)

    def _by_kernels(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise over all processes by the kernels that ``nn.SyncBatchNorm`` is made of."""
        moved = self.track_running_stats and not moves.kept
        running = (self.running_mean, self.running_var) if moved else (None, None)
        momentum = self.count_batch() if moved else 0.0
        return NormaliseByKernels.apply(maps, self.weight, self.bias, *running, momentum, self.eps)


def _copy(statistic: torch.Tensor | None) -> torch.Tensor | None:
    return None if statistic is None else statistic.clone()
