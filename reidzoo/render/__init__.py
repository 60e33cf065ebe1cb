"""Renders twins of re-identification datasets: people and vehicles drawn into the real layouts.

They are a stand-in to run and test everything with, and to compare variants of a method; no result on them is a result
on the dataset whose layout they borrow.
"""

from __future__ import annotations

from reidzoo.render.contact_sheet import contact_sheet, overview, vehicle_overview
from reidzoo.render.twins import RENDERER_VERSION, TWINS, VEHICLE_RENDERER_VERSION, Twin, render_twins
from reidzoo.render.video import VIDEO_RENDERER_VERSION, render_video

__all__ = [
    "RENDERER_VERSION",
    "TWINS",
    "VEHICLE_RENDERER_VERSION",
    "VIDEO_RENDERER_VERSION",
    "Twin",
    "contact_sheet",
    "overview",
    "render_twins",
    "render_video",
    "vehicle_overview",
]
