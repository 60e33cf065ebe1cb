"""Pictures of runs and of data: figures as SVG, drawn by matplotlib, and sheets of images."""

from __future__ import annotations

from reidzoo.visualization.cmc_curve import cmc_plot, draw_cmc_curve
from reidzoo.visualization.distance_histogram import distance_histogram_plot, draw_distance_histogram
from reidzoo.visualization.embedding_map import draw_embedding_map, embedding_map_plot
from reidzoo.visualization.figure import COLOURS, colour_of, png_bytes, svg_text
from reidzoo.visualization.imbalance import draw_imbalance, imbalance, imbalance_plot
from reidzoo.visualization.progress import draw_progress, progress_plot
from reidzoo.visualization.reliability import draw_reliability, reliability_plot
from reidzoo.visualization.roc_curve import draw_roc, roc_plot
from reidzoo.visualization.sheet import RIGHT, WRONG, image_sheet
from reidzoo.visualization.strips import MARKS, Strip, Tile, draw_strips, strips_png
from reidzoo.visualization.training_curves import (
    WIDTH,
    Points,
    Span,
    draw_training_curves,
    held,
    mark_phases,
    training_curves_plot,
)

__all__ = [
    "COLOURS", "MARKS", "RIGHT", "WIDTH", "WRONG", "Points", "Span", "Strip", "Tile", "cmc_plot", "colour_of",
    "distance_histogram_plot", "draw_cmc_curve", "draw_distance_histogram", "draw_embedding_map", "draw_imbalance",
    "draw_progress", "draw_reliability", "draw_roc", "draw_strips", "draw_training_curves", "embedding_map_plot",
    "held", "image_sheet", "imbalance", "imbalance_plot", "mark_phases", "png_bytes", "progress_plot",
    "reliability_plot", "roc_plot", "strips_png", "svg_text", "training_curves_plot",
]  # fmt: skip
