"""Loads trained models by name or path, embeds images with them, and calibrates them."""

from __future__ import annotations

from reidzoo.inference.calibrate import Calibrated, calibrate
from reidzoo.inference.load import load
from reidzoo.inference.ready_model import ReadyModel

__all__ = ["Calibrated", "ReadyModel", "calibrate", "load"]
