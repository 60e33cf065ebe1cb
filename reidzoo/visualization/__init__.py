"""Pictures of runs, written by hand as SVG: no drawing library is needed."""

from __future__ import annotations

from reidzoo.visualization.svg_plot import SVGPlot

__all__ = ["SVGPlot"]
