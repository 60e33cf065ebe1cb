"""Runs a table's command on a cluster's node, with its output in the run's log."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["run_command"]


def run_command(command: Sequence[str], log: str, folder: str) -> int:
    """Run a command and return its exit code; SIGTERM, which cancels a job, is passed on, so that the run saves itself.

    Args:
        command: what to run.
        log: the file that its output is appended to, on a disk that the nodes share.
        folder: where to run it.
    """
    running: list[subprocess.Popen] = []
    asked: list[int] = []

    def deliver(number: int = 0, frame: Any = None) -> None:
        asked.extend([number] if number else [])
        while running and asked:
            running[0].send_signal(asked.pop(0))

    in_main = threading.current_thread() is threading.main_thread()  # where alone Python hears signals
    before = signal.signal(signal.SIGTERM, deliver) if in_main else None  # before the command can be asked to stop
    try:
        process = _start(command, log, folder)
        running.append(process)
        deliver()
        while process.poll() is None:
            time.sleep(0.2)  # and not wait(), which Ray's interruption of a task does not end
        return process.returncode
    except BaseException:
        for process in running:
            process.terminate()
            process.wait()
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _start(command: Sequence[str], log: str, folder: str) -> subprocess.Popen:
    with open(log, "a") as file:
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=dict(os.environ)
        )
