"""Memories: features kept across iterations, with their state in buffers."""

from __future__ import annotations

from reidzoo.memories.exemplar import ExemplarMemory, invariance_targets
from reidzoo.memories.hybrid import HybridMemory

__all__ = ["ExemplarMemory", "HybridMemory", "invariance_targets"]
