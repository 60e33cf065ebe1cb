"""Finds the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "did_you_mean", "suggestion"]


def closest(name: str, names: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the name most like ``name``, if one is at least ``cutoff`` like it (1: equal)."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def did_you_mean(name: str, names: Iterable[str], cutoff: float = 0.5) -> str:
    """Return `` Did you mean NAME?`` with the space before it, or "" if no name is like ``name``."""
    match = closest(name, names, cutoff)
    return f" Did you mean {match}?" if match else ""


def suggestion(name: str, names: Iterable[str], otherwise: str, prefix: str = "", cutoff: float = 0.5) -> str:
    """Return ``did you mean NAME?`` with ``prefix`` before the name, or ``otherwise`` if no name is like ``name``."""
    match = closest(name, names, cutoff)
    return f"did you mean {prefix}{match}?" if match else otherwise
