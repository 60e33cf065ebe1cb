"""Text files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from reidzoo.files import write_whole

__all__ = ["write_text"]


def write_text(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` always holds a whole file, the old one or the new; see `write_whole`."""
    with write_whole(path) as file:
        file.write(text.encode("utf-8"))
