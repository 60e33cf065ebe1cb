"""The mark of a tensor that a converter leaves out on purpose."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dropped"]


@dataclass(frozen=True)
class Dropped:
    """Stands in a key map in place of a name: the tensor is known and not needed.

    Attributes:
        what: the tensor's purpose, e.g. "identity classifier".
    """

    what: str
