"""The limits of a request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """The limits of what the server takes from a stranger.

    Attributes:
        bytes: of one picture's file.
        pixels: of one picture; its header is read before anything is decoded.
        matches: that one search may ask for.
    """

    bytes: int = 10 * 1024 * 1024
    pixels: int = 50_000_000
    matches: int = 200
