"""From a name or a path to a model that embeds images."""

from __future__ import annotations

from reidzoo.inference.load import load
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["ReadyModel", "load"]
