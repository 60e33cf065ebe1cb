"""Pictures of runs and of data: figures as SVG, drawn by matplotlib, and sheets of images."""

from __future__ import annotations

from reidzoo.visualization.figure import svg_text
from reidzoo.visualization.imbalance import draw_imbalance, imbalance, imbalance_plot
from reidzoo.visualization.sheet import RIGHT, WRONG, image_sheet

__all__ = ["RIGHT", "WRONG", "draw_imbalance", "image_sheet", "imbalance", "imbalance_plot", "svg_text"]
