"""The non-local block: attention over all positions of a map."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["NonLocal"]


class NonLocal(nn.Module):
    """z = x + BN(W y), y_i = 1/N sum_j (theta(x_i) . phi(x_j)) g(x_j) over all N positions.

    The dot-product form of Wang et al. (CVPR 2018, Eq. 4 in Eq. 6), with 1x1 convolutions under the paper's names. The
    batch norm begins at 0, so that a new block changes nothing.

    Args:
        channels: C of the map.
        hidden: channels of theta, phi and g. 1 is what fastreid's AGW and SBS have; the paper halves C.

    Shapes: (B, C, h, w) -> (B, C, h, w).
    """

    def __init__(self, channels: int, hidden: int = 1) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, hidden, 1)
        self.phi = nn.Conv2d(channels, hidden, 1)
        self.g = nn.Conv2d(channels, hidden, 1)
        norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(norm.weight)
        self.W = nn.Sequential(nn.Conv2d(hidden, channels, 1), norm)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Add to each position what it attends to."""
        theta, phi, g = (conv(maps).flatten(2) for conv in (self.theta, self.phi, self.g))
        # (theta^T phi) g^T = theta^T (phi g^T): no N x N matrix is needed.
        attended = (g @ phi.transpose(1, 2)) @ theta / theta.shape[2]
        return maps + self.W(attended.unflatten(2, maps.shape[2:]))
