"""A table's runs as jobs of SLURM, through submitit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reidzoo.tables.launchers.launcher import Job
from reidzoo.tables.launchers.run_command import run_command

__all__ = ["SubmititLauncher"]


class SubmititLauncher:
    """Hands each run to SLURM, or to processes of this machine where there is no SLURM (submitit's ``local``).

    Args:
        folder: for submitit's own files, on a disk that the nodes share.
        options: of ``submitit.AutoExecutor.update_parameters``: ``slurm_partition``, ``gpus_per_node``,
            ``timeout_min``, ... A job has a day and one GPU where these say nothing else.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        import submitit

        self.executor = submitit.AutoExecutor(folder=folder, cluster=options.get("cluster"))
        given = {key: value for key, value in options.items() if key != "cluster"}
        self.executor.update_parameters(**{"timeout_min": 24 * 60, "gpus_per_node": 1, **given})

    def start(self, command: Sequence[str], log: Path, name: str) -> Job:
        """Submit a command whose output is appended to ``log``."""
        self.executor.update_parameters(name=name.replace("/", "-"))
        with _interruptible():
            return _SubmititJob(self.executor.submit(run_command, list(command), str(log.resolve()), os.getcwd()))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let processes that are started meanwhile hear SIGINT, by which submitit cancels its local jobs.

    A command in a shell's background ignores it, and what it starts would, too.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class _SubmititJob:
    """A job of SLURM with the methods of a process."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self.returncode: int | None = None
        self._asked = 0.0

    def poll(self) -> int | None:
        """Return the exit code, or None while it waits or runs; the cluster is asked every few seconds."""
        if self.returncode is None and time.monotonic() - self._asked > 2:
            self._asked = time.monotonic()
            if self.job.done():
                self.returncode = self._result()
        return self.returncode

    def _result(self) -> Any:
        exception = self.job.exception()
        return self.job.result() if exception is None else 1

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        while self.poll() is None:
            time.sleep(0.5)
        return int(self.returncode or 0)

    def terminate(self) -> None:
        """Cancel it: SLURM sends SIGTERM, and the run saves itself."""
        self.job.cancel()

    kill = terminate
