"""Batch norm over groups of a batch."""

from __future__ import annotations

import torch
from torch.nn import functional

from reidzoo.errors import ConfigError
from reidzoo.half_precision import is_half
from reidzoo.models.batch_norm.converted_batch_norm import ConvertedBatchNorm
from reidzoo.models.batch_norm.running_statistics import move, moves

__all__ = ["GroupBatchNorm"]

FEW = 8
"""Groups up to which a GPU takes one after the other."""


class GroupBatchNorm(ConvertedBatchNorm):
    """Batch norm with statistics over groups of ``group`` consecutive images ("ghost batch norm").

    Each group is normalised by its own mean and variance (Hoffer et al., NeurIPS 2017). The running statistics move
    once per batch, towards the mean over the groups of their means and unbiased variances; with several processes the
    mean is over the groups of all of them, so that one process and N agree. (``DataParallel`` keeps those of the first
    replica only.) Statistics are in float32 also for half-precision maps.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as for ``nn.BatchNorm2d``.
        group: images per group. The batch of a process must be a multiple of it.

    Raises:
        ConfigError: in training, the batch is not a multiple of ``group``.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        group: int,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)
        if group < 1:
            raise ValueError(f"GroupBatchNorm: group must be at least 1, got {group}")
        self.group = group

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...); B must be a multiple of ``group`` in training."""
        self._check_input_dim(maps)
        if not self.training and self.running_mean is not None:
            return self.by_running_statistics(maps)
        batch, channels = maps.shape[:2]
        if batch % self.group or not batch:
            raise ConfigError(
                f"batch norm over groups of {self.group} images got a batch of {batch} (in this process), which is not "
                f"a multiple; change the batch size or MODEL.BN_GROUP"
            )
        count = batch // self.group
        dtype = torch.float32 if is_half(maps) else maps.dtype
        # Momentum 1 makes batch_norm hand out the statistics of this batch themselves.
        mean = torch.zeros(count, channels, dtype=dtype, device=maps.device)
        variance = torch.ones_like(mean)
        normalise = self._group_by_group if maps.is_cuda and count <= FEW else self._side_by_side
        output = normalise(maps, mean, variance)
        if self.training and self.track_running_stats:
            self._note(mean, variance)
        return output

    def _side_by_side(self, maps: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Normalise all groups in one call, as channels of their own: two copies each way, whatever their number."""
        columns = _groups_to_channels(maps, self.group)
        weight, bias = (None if affine is None else affine.repeat(len(mean)) for affine in (self.weight, self.bias))
        columns = functional.batch_norm(columns, mean.view(-1), variance.view(-1), weight, bias, True, 1.0, self.eps)
        return _channels_to_groups(columns, maps)

    def _group_by_group(self, maps: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Normalise each group where it lies: one copy each way, and a call for each."""
        parts = zip(maps.split(self.group), mean, variance)
        return torch.cat(
            [functional.batch_norm(part, m, v, self.weight, self.bias, True, 1.0, self.eps) for part, m, v in parts]
        )

    @torch.no_grad()
    def _note(self, means: torch.Tensor, variances: torch.Tensor) -> None:
        """Take the statistics (groups, C) of a batch into account."""
        if moves.kept:
            return
        sums = torch.cat([means.sum(0), variances.sum(0), means.new_full((1,), float(len(means)))])
        if moves.waiting is None or torch.compiler.is_compiling():
            move([(self, sums)])
        else:
            moves.waiting.append((self, sums))

    def extra_repr(self) -> str:
        """Return the arguments for ``print(model)``."""
        return f"{super().extra_repr()}, group={self.group}"


def _is_channels_last(maps: torch.Tensor) -> bool:
    return maps.dim() == 4 and maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()


def _groups_to_channels(maps: torch.Tensor, group: int) -> torch.Tensor:
    """Lay the n groups side by side as channels: (n g, C, ...) -> (g, n C, ...), channels_last -> (g h w, n C).

    Then one call of batch_norm normalises each (group, channel) pair on its own, without a loop.
    """
    count, channels = maps.shape[0] // group, maps.shape[1]
    if _is_channels_last(maps):
        rows = maps.permute(0, 2, 3, 1).reshape(count, -1, channels).transpose(0, 1)
        return rows.reshape(-1, count * channels)
    spread = maps.reshape(count, group, *maps.shape[1:]).transpose(0, 1)
    return spread.reshape(group, count * channels, *maps.shape[2:])


def _channels_to_groups(columns: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Undo ``_groups_to_channels``; the result has the shape and memory format of ``like``."""
    batch, channels = like.shape[:2]
    if _is_channels_last(like):
        height, width = like.shape[2:]
        rows = columns.view(columns.shape[0], -1, channels).transpose(0, 1)
        return rows.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    group = columns.shape[0]
    spread = columns.view(group, batch // group, channels, *like.shape[2:])
    return spread.transpose(0, 1).reshape(like.shape)
