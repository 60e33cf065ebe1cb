"""The programs that exported models are made for."""

from __future__ import annotations

from reidzoo.deployment.consumers.boxmot import Boxmot
from reidzoo.deployment.consumers.consumer import Consumer
from reidzoo.deployment.consumers.deepstream import DeepStream
from reidzoo.deployment.consumers.norfair import Norfair
from reidzoo.deployment.consumers.roboflow import Roboflow
from reidzoo.deployment.consumers.ultralytics import Ultralytics

__all__ = ["CONSUMERS", "Boxmot", "Consumer", "DeepStream", "Norfair", "Roboflow", "Ultralytics"]

CONSUMERS: dict[str, Consumer] = {
    consumer.name: consumer for consumer in (Boxmot(), Ultralytics(), Roboflow(), DeepStream(), Norfair())
}
"""Name -> program."""
