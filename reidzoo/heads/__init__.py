"""Heads: feature map (B, C, h, w) -> dict of ``feat``, ``embedding`` and, in training, ``logits``."""

from __future__ import annotations

from reidzoo.heads.bnneck import BNNeck
from reidzoo.heads.linear import LinearHead
from reidzoo.heads.pooling import AvgPool, GeM, MaxPool

__all__ = ["AvgPool", "BNNeck", "GeM", "LinearHead", "MaxPool"]
