"""A table's runs as processes of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reidzoo.tables.launchers.launcher import Job

__all__ = ["LocalLauncher"]


class LocalLauncher:
    """Starts a process for each run.

    Args:
        environment: of the processes.
        inherited: file descriptors that they keep open, such as a lock's.
    """

    def __init__(self, environment: Mapping[str, str], inherited: Sequence[int] = ()) -> None:
        self.environment, self.inherited = dict(environment), tuple(inherited)

    def start(self, command: Sequence[str], log: Path, name: str) -> Job:
        """Start a command whose output is appended to ``log``."""
        with open(log, "a") as file:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env=self.environment, pass_fds=self.inherited,
                start_new_session=True,  # Ctrl-C reaches it through the scheduler alone, once
            )  # fmt: skip
