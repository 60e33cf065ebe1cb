"""Orders names as people count: 2 before 10."""

from __future__ import annotations

import re

__all__ = ["natural_order"]


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return the key that sorts names by the numbers in them, and otherwise by their letters."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces]
