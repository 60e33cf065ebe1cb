"""Memories: features kept across iterations, with their state in buffers."""

from __future__ import annotations

from reidzoo.memories.exemplar import ExemplarMemory
from reidzoo.memories.hybrid import HybridMemory
from reidzoo.memories.invariance_memory import InvarianceMemory, invariance_targets

__all__ = ["ExemplarMemory", "HybridMemory", "InvarianceMemory", "invariance_targets"]
