"""Tables of papers: reads table files, runs their rows over seeds, and compares the results with the paper's claims."""

from __future__ import annotations

from reidzoo.tables.report import collect, render
from reidzoo.tables.scheduler import Scheduler
from reidzoo.tables.spec import Claim, Row, Table, is_table, read_table
from reidzoo.tables.units import Plan, Unit, make_plan

__all__ = [
    "Claim",
    "Plan",
    "Row",
    "Scheduler",
    "Table",
    "Unit",
    "collect",
    "is_table",
    "make_plan",
    "read_table",
    "render",
]
