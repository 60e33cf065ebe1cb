"""The planned tables' fixtures."""

from ..planned_tables import plan, stub, table, write  # noqa: F401
