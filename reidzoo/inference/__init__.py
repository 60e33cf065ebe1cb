"""Loads trained models by name or path, and embeds images with them."""

from __future__ import annotations

from reidzoo.inference.load import load
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["ReadyModel", "load"]
