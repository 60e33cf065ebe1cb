"""Runs a table's units in parallel, each in a process of its own, as soon as the units that it needs are done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reidzoo.cores import available_cores
from reidzoo.tables.launchers import Job, Launcher, LocalLauncher
from reidzoo.tables.progress import Progress
from reidzoo.tables.units import LOG, Unit

__all__ = ["Scheduler", "shared_environment"]


class Scheduler:
    """Runs the units that are not done yet.

    A unit that fails takes along the units that need it; the others go on. An exception, such as Ctrl-C, asks the
    running processes to save and to stop, and waits for them; a second one ends them at once. Either way the next run
    continues where they stopped.

    Args:
        units: key -> unit, in the order in which they should run; what a unit needs is among them.
        jobs: how many run at once.
        command: gives the command line that runs a unit, or continues it.
        progress: where events are reported.
        inherited: file descriptors that the processes keep open, such as a lock's.
        launcher: starts the runs; processes of this machine by default.

    Attributes:
        failed: key -> why, of the units that failed or whose needs did.
    """

    def __init__(
        self,
        units: Mapping[str, Unit],
        jobs: int,
        command: Callable[[Unit], Sequence[str]],
        progress: Progress | None = None,
        inherited: Sequence[int] = (),
        launcher: Launcher | None = None,
    ) -> None:
        self.units, self.jobs, self.command = units, jobs, command
        self.done = {key for key, unit in units.items() if unit.done}
        self.waiting = {key: unit for key, unit in units.items() if key not in self.done}
        self.running: dict[str, tuple[Job, float]] = {}
        self.failed: dict[str, str] = {}
        self.progress = progress or Progress()
        self.launcher = launcher or LocalLauncher(shared_environment(jobs), inherited)

    def run(self) -> dict[str, str]:
        """Run until nothing is left that can run; returns ``failed``."""
        self.progress.begin(self.units.values(), self.jobs)
        try:
            while self.waiting or self.running:
                self._start_ready()
                self._collect()
                self.progress.show([(self.units[key], start) for key, (_, start) in self.running.items()])
                if self.running:
                    time.sleep(0.05)
        finally:
            self._stop()
            self.progress.end()
        return self.failed

    def _start_ready(self) -> None:
        for key, unit in list(self.waiting.items()):
            broken = [need for need in unit.needs if need in self.failed]
            if broken:
                self.failed[key] = f"needs {self.units[broken[0]].name}"
                del self.waiting[key]
            elif len(self.running) < self.jobs and self.done.issuperset(unit.needs):
                del self.waiting[key]
                self._start(unit)

    def _start(self, unit: Unit) -> None:
        unit.write()
        process = self.launcher.start(self.command(unit), unit.folder / LOG, unit.name)
        self.running[unit.key] = process, time.monotonic()
        self.progress.started(unit)

    def _collect(self) -> None:
        for key, (process, _) in list(self.running.items()):
            if process.poll() is None:
                continue
            unit, seconds = self.units[key], self._note_time(key)
            if process.returncode == 0 and unit.done:
                self.done.add(key)
                self.progress.finished(unit, seconds)
                continue
            log = unit.folder / LOG
            self.failed[key] = f"{_last_line(log) or 'no message'} (exit code {process.returncode}; log: {log})"
            self.progress.broke(unit, self.failed[key])

    def _stop(self) -> None:
        for process, _ in self.running.values():
            process.terminate()  # train_net.py finishes the step, saves and ends
        if self.running:
            self.progress.say(f"waiting for {len(self.running)} runs to save and end; Ctrl-C again ends them at once")
        try:
            for process, _ in self.running.values():
                process.wait()
        except KeyboardInterrupt:
            for process, _ in self.running.values():
                process.kill()
                process.wait()
            raise
        finally:
            for key in list(self.running):
                self._note_time(key)

    def _note_time(self, key: str) -> float:
        """Add a process's time to that of its unit's earlier ones and return the sum, in seconds."""
        unit, (_, start) = self.units[key], self.running.pop(key)
        seconds = unit.seconds + time.monotonic() - start
        unit.note(seconds, [self.units[need].name for need in unit.needs])
        return seconds


def shared_environment(jobs: int) -> dict[str, str]:
    """Return the environment of processes of which ``jobs`` share this machine's cores."""
    return {"OMP_NUM_THREADS": str(max(1, available_cores() // jobs)), **os.environ}


def _last_line(log: Path) -> str:
    """Return what a run said last; "" where it said nothing, or has never begun, as a job that the queue threw out."""
    if not log.is_file():
        return ""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
