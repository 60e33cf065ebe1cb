"""The base of batch norms over other batches than a forward pass's."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo.models.batch_norm.running_statistics import move_waiting

__all__ = ["ConvertedBatchNorm"]


class ConvertedBatchNorm(_BatchNorm):
    """A batch norm for (B, C) and (B, C, ...) made from another one, with the same ``state_dict`` keys."""

    def _check_input_dim(self, maps: torch.Tensor) -> None:
        if maps.dim() < 2:
            raise ValueError(f"{type(self).__name__}: expected (B, C) or (B, C, ...), got {tuple(maps.shape)}")

    @classmethod
    def adopt(cls, norm: _BatchNorm, **arguments: Any) -> ConvertedBatchNorm:
        """Return a module of this class that shares the parameters and buffers of ``norm``.

        timm's ``BatchNormAct2d`` is a batch norm with dropping and an activation of its own behind it; so is then this.
        """
        # 0 features: the tensors are replaced at once, whatever their device and dtype.
        new = cls(0, norm.eps, norm.momentum, norm.affine, norm.track_running_stats, **arguments)
        new.num_features = norm.num_features
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(new, name, getattr(norm, name))
        if behind := [name for name in ("drop", "act") if isinstance(getattr(norm, name, None), nn.Module)]:
            for name in behind:
                new.add_module(name, getattr(norm, name))
            new.register_forward_hook(_pass_behind)
        return new.train(norm.training)

    def count_batch(self) -> float:
        """Count one more batch and return its weight in the running statistics; momentum None is their plain mean."""
        if self.num_batches_tracked is None:  # as nn.BatchNorm without a count
            return self.momentum or 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def update(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards ``mean`` and the unbiased ``variance``, both (C,)."""
        if not (self.training and self.track_running_stats) or self.running_mean is None or self.running_var is None:
            return
        momentum = self.count_batch()
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)

    def by_running_statistics(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...) by the running statistics, after those that wait have moved."""
        move_waiting()
        return functional.batch_norm(
            maps, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )


def _pass_behind(norm: nn.Module, _inputs: Any, maps: torch.Tensor) -> torch.Tensor:
    """Return the maps as they leave what a batch norm has behind it."""
    for module in norm.children():
        maps = module(maps)
    return maps
