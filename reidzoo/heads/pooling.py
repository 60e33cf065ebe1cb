"""Global pooling: feature map (B, C, h, w) -> (B, C), in float32 also for half-precision maps."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from reidzoo.checks import check, one_of
from reidzoo.half_precision import is_half, widen

__all__ = ["AvgPool", "GeM", "MaxPool", "SumPool", "build_pooling"]


class AvgPool(nn.Module):
    """Mean over the map."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C)."""
        if is_half(maps):
            return maps.mean((2, 3), dtype=torch.float32)
        return maps.mean((2, 3))  # a type that changes nothing is one that older exporters to ONNX do not know


class MaxPool(nn.Module):
    """Maximum over the map."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C)."""
        # adaptive_max_pool2d is the same, but torch 2.9's exporter to ONNX does not know it
        pooled = functional.max_pool2d(maps, maps.shape[2:]).flatten(1)
        return widen(pooled)


class GeM(nn.Module):
    """Generalised mean (Radenovic et al., TPAMI 2019, Eq. 3): (mean over the map of max(x, eps)^p)^(1/p).

    Computed relative to each channel's maximum m, as m * mean((x / m)^p)^(1/p), which is the same number and the same
    gradient: eps^p alone underflows float32 for p > 6, and a root of 0 has no finite gradient.

    Args:
        p: initial exponent; learnt. 1 is the mean, infinity the maximum.
        eps: floor of the activations.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([float(p)]))
        self.eps = eps

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C)."""
        with torch.autocast(maps.device.type, enabled=False):
            maps = widen(maps).clamp(min=self.eps)
            # A constant as far as the gradient goes: the pooled value does not depend on it.
            peak = maps.detach().amax((2, 3), keepdim=True)
            mean = (maps / peak).pow(self.p).mean((2, 3))
            return peak.flatten(1) * mean.pow(1.0 / self.p)


class SumPool(nn.Module):
    """The sum of several poolings of the same map, such as GeM's and the maximum."""

    def __init__(self, *poolings: nn.Module) -> None:
        super().__init__()
        self.poolings = nn.ModuleList(poolings)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C)."""
        return torch.stack([pooling(maps) for pooling in self.poolings]).sum(0)


POOLINGS = {"avg": AvgPool, "max": MaxPool, "gem": GeM}
SUMS = ("avg+max", "gem+max")


def build_pooling(name: str) -> nn.Module:
    """Return the pooling called "avg", "max" or "gem", or of two that are added up, "avg+max" or "gem+max".

    Raises:
        ConfigError: there is no such pooling.
    """
    check("HEAD", one_of(*POOLINGS, *SUMS), pooling=name)
    poolings = [POOLINGS[part]() for part in name.split("+")]
    return poolings[0] if len(poolings) == 1 else SumPool(*poolings)
