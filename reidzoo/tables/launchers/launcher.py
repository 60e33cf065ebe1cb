"""The protocols of a launcher and of a run that it has started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Job", "Launcher"]


class Job(Protocol):
    """A run that was started, wherever it is; ``subprocess.Popen`` is one.

    Attributes:
        returncode: its exit code once it has ended, else None.
    """

    returncode: Any

    def poll(self) -> int | None:
        """Return the exit code, or None while it waits or runs."""

    def wait(self) -> int:
        """Return the exit code when it has ended."""

    def terminate(self) -> None:
        """Ask it to save and to end."""

    def kill(self) -> None:
        """End it at once."""


class Launcher(Protocol):
    """Starts runs."""

    def start(self, command: Sequence[str], log: Path, name: str) -> Job:
        """Start a command whose output is appended to ``log``."""
