"""What a converter leaves out on purpose."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dropped"]


@dataclass(frozen=True)
class Dropped:
    """In a key map, in place of a name: the tensor is known and not needed.

    Attributes:
        what: what it is, e.g. "identity classifier".
    """

    what: str
