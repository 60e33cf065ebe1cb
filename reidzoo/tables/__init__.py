"""Tables of papers: reads table files, runs their rows over seeds, and compares the results with the paper's claims.

``reidzoo table`` is the command; ``spec`` reads the table file, ``units`` says what must run, ``scheduler`` runs
it, ``figures`` and ``collect`` read what they gave, ``statistics`` and ``report`` make the table of it.
"""

from __future__ import annotations

from reidzoo.tables.collect import collect
from reidzoo.tables.figures import Record
from reidzoo.tables.report import render
from reidzoo.tables.scheduler import Scheduler
from reidzoo.tables.spec import Claim, Row, Table, is_table, read_table
from reidzoo.tables.units import Plan, Unit, make_plan

__all__ = [
    "Claim",
    "Plan",
    "Record",
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
