"""Reports of runs and models: a page with pictures, tables and words, and each picture by itself."""

from __future__ import annotations

from reidzoo.reporting.picture import STRIPS, Picture, Table
from reidzoo.reporting.report import Report
from reidzoo.reporting.retrieval_pictures import RETRIEVAL_PICTURES
from reidzoo.reporting.training_pictures import TRAINING_PICTURES

__all__ = ["RETRIEVAL_PICTURES", "STRIPS", "TRAINING_PICTURES", "Picture", "Report", "Table"]
