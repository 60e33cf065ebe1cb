"""Finds what is wrong with a dataset before anyone trains on it."""

from __future__ import annotations

from reidzoo.inspection.findings import Finding
from reidzoo.inspection.inspection import Inspection
from reidzoo.inspection.source import open_data

__all__ = ["Finding", "Inspection", "open_data"]
