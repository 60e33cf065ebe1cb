"""A table's runs as tasks of a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reidzoo.tables.launchers.launcher import Job
from reidzoo.tables.launchers.run_command import run_command

__all__ = ["RayLauncher"]


class RayLauncher:
    """Hands each run to the Ray cluster that ``RAY_ADDRESS`` names, or to one of this machine's that it starts.

    Args:
        options: of a Ray task: ``num_gpus``, ``num_cpus``, ``resources``, ...
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        import ray

        if not ray.is_initialized():
            ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
        self.run = ray.remote(max_retries=0)(run_command).options(**options)

    def start(self, command: Sequence[str], log: Path, name: str) -> Job:
        """Submit a command whose output is appended to ``log``."""
        return _RayJob(self.run.remote(list(command), str(log.resolve()), os.getcwd()))


class _RayJob:
    """A task of Ray with the methods of a process."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it waits or runs."""
        import ray

        if self.returncode is None and ray.wait([self.reference], timeout=0)[0]:
            try:
                self.returncode = ray.get(self.reference)
            except ray.exceptions.RayError:  # cancelled, or its node is lost
                self.returncode = 1
        return self.returncode

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        while self.poll() is None:
            time.sleep(0.1)
        return int(self.returncode or 0)

    def terminate(self) -> None:
        """Cancel it: its process gets a KeyboardInterrupt, and the run saves itself."""
        import ray

        ray.cancel(self.reference)

    def kill(self) -> None:
        """End its process."""
        import ray

        ray.cancel(self.reference, force=True)
