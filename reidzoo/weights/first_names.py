"""Shortens a list of names in a message."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["first_names"]

SHOWN = 10
"""Names that a message holds at most."""


def first_names(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
