"""The fully connected layer of the heads."""

from __future__ import annotations

from torch import nn

__all__ = ["linear_norm_relu"]


def linear_norm_relu(in_features: int, width: int, bias: bool = True) -> nn.Sequential:
    """Return Linear, batch norm and ReLU: (N, in_features) -> (N, width); weights Kaiming normal (fan out), bias 0."""
    linear = nn.Linear(in_features, width, bias=bias)
    nn.init.kaiming_normal_(linear.weight, mode="fan_out", nonlinearity="relu")
    if bias:
        nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU())
