"""Heads: feature map (B, C, h, w) -> dict of ``feat``, ``embedding`` and, in training, ``logits``."""

from __future__ import annotations

from reidzoo.heads.bnneck import BNNeck
from reidzoo.heads.branch_classifier import BranchClassifier
from reidzoo.heads.cosine_classifier import CosineClassifier
from reidzoo.heads.dual_branch import DualBranchHead
from reidzoo.heads.hidden_classifier import HiddenClassifier
from reidzoo.heads.jigsaw import JigsawHead
from reidzoo.heads.linear import LinearHead
from reidzoo.heads.mgn import MGNHead
from reidzoo.heads.mlp_head import MLPHead
from reidzoo.heads.pcb import PCBHead
from reidzoo.heads.pooling import AvgPool, GeM, MaxPool, SumPool
from reidzoo.heads.rpp import RPPHead

__all__ = [
    "AvgPool", "BNNeck", "BranchClassifier", "CosineClassifier", "DualBranchHead", "GeM", "HiddenClassifier",
    "JigsawHead", "LinearHead", "MGNHead", "MLPHead", "MaxPool", "PCBHead", "RPPHead", "SumPool",
]  # fmt: skip
