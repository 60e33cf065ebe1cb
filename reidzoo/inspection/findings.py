"""The findings of a check, in their order of importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["ERROR", "NOTE", "WARNING", "Finding"]

ERROR, WARNING, NOTE = "error", "warning", "note"
"""A run would fail; its figures would mislead, or images are wasted; good to know."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: ERROR, WARNING or NOTE.
        title: what it is, with how often, in one sentence without its full stop.
        advice: what to do about it; "" where there is nothing to do.
        examples: some of what it is about, a line each.
        pictures: rows of images to show, of one image or of a pair, each.
    """

    level: str
    title: str
    advice: str = ""
    examples: Sequence[str] = field(default=())
    pictures: Sequence[tuple[int, ...]] = field(default=())
