"""Pictures of runs, drawn by matplotlib."""

from __future__ import annotations

from reidzoo.visualization.figure import svg_text

__all__ = ["svg_text"]
