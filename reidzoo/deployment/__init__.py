"""Deployment: models as graphs for other runtimes and for trackers, compared with the model before they stay."""

from __future__ import annotations

from reidzoo.deployment.crops import Crops, find_crops
from reidzoo.deployment.export import Exported, export_graph
from reidzoo.deployment.parity import Parity
from reidzoo.deployment.plan import ExportPlan

__all__ = ["Crops", "ExportPlan", "Exported", "Parity", "export_graph", "find_crops"]
