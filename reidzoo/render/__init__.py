"""The rendered twins of re-identification datasets: people drawn into the real layouts (DESIGN.md, section 8).

They are a stand-in to run and test everything with, and to compare variants of a method; no result on them is a result
on the dataset whose layout they borrow.
"""

from __future__ import annotations

from .contact_sheet import contact_sheet, overview
from .twins import RENDERER_VERSION, Twin, render_twins

__all__ = ["RENDERER_VERSION", "Twin", "contact_sheet", "overview", "render_twins"]
