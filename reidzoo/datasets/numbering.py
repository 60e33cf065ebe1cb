"""Numbers for identities and cameras that have names."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["number_cameras", "number_names"]

JUNK = "-1"


def number_names(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each name: itself where all are whole numbers from -1 on, else its place among the sorted.

    Places are taken, too, where two names are one number (1 and 01), or one does not fit 64 bits. -1 stays -1, junk.
    The order of ``names``, and how often each is there, does not matter.
    """
    unique = sorted(set(names))
    if all(re.fullmatch(r"-1|\d{1,19}", name) for name in unique):
        numbers = {name: int(name) for name in unique}
        if len(set(numbers.values())) == len(unique) and max(numbers.values(), default=0) < 2**63:
            return numbers
    others = [name for name in unique if name != JUNK]
    return {name: number for number, name in enumerate(others)} | ({JUNK: -1} if JUNK in unique else {})


def number_cameras(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each camera as ``number_names`` does, but 1 and 01 are one: file names pad numbers."""
    plain = {name: name.lstrip("0") or "0" if name.isdecimal() else name for name in names}
    numbers = number_names(plain.values())
    return {name: numbers[text] for name, text in plain.items()}
