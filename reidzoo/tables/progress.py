"""Prints the progress of a table: how many units are done, which run, and about how long the rest will take."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from reidzoo.tables.units import Unit

__all__ = ["Progress", "show_time"]


class Progress:
    """Prints progress: one line that is rewritten on a terminal, or a line per event in a file or a pipe.

    Args:
        stream: where to print; None for standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.unfinished: dict[str, Unit] = {}
        self.total, self.jobs, self.shown = 0, 1, 0.0
        self.times: dict[str, list[float]] = {}

    def begin(self, units: Iterable[Unit], jobs: int) -> None:
        """Begin with all units; the times of those that are done estimate those of the others."""
        units = list(units)
        self.total, self.jobs = len(units), jobs
        self.unfinished = {unit.key: unit for unit in units if not unit.done}
        for unit in units:
            if unit.done and unit.seconds:
                self.times.setdefault(unit.stage, []).append(unit.seconds)

    def started(self, unit: Unit) -> None:
        """Report that a unit has started."""
        if not self.live:
            self.say(f"{self._count()}  {unit.name} runs")

    def finished(self, unit: Unit, seconds: float) -> None:
        """Report that a unit is done, and how long it took in all."""
        self.unfinished.pop(unit.key, None)
        self.times.setdefault(unit.stage, []).append(seconds)
        self.say(f"{self._count()}  {unit.name} done in {show_time(seconds)}{self._rest([])}")

    def broke(self, unit: Unit, reason: str) -> None:
        """Report that a unit failed."""
        self.unfinished.pop(unit.key, None)
        self.say(f"{self._count()}  {unit.name} FAILED: {reason}")

    def show(self, running: Sequence[tuple[Unit, float]]) -> None:
        """Rewrite the line, twice a second at most; ``running``: units and their start by the monotonic clock."""
        if not self.live or time.monotonic() - self.shown < 0.5:
            return
        self.shown = now = time.monotonic()
        names = ", ".join(f"{unit.name} {show_time(now - start)}" for unit, start in running)
        line = f"{self._count()}  {names}{self._rest([now - start for _, start in running])}"
        width = shutil.get_terminal_size().columns - 1
        self.stream.write("\r\x1b[K" + line[:width])
        self.stream.flush()

    def say(self, text: str) -> None:
        """Print a line that is not rewritten."""
        self.stream.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.stream.flush()

    def end(self) -> None:
        """Clear the progress line."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _count(self) -> str:
        return f"[{self.total - len(self.unfinished)}/{self.total}]"

    def _rest(self, spent: Sequence[float]) -> str:
        """Return the estimated time of the rest as text; a stage that never ran counts as an average one."""
        durations = [seconds for times in self.times.values() for seconds in times]
        if not durations or not self.unfinished:
            return ""
        means = {stage: sum(times) / len(times) for stage, times in self.times.items()}
        average = sum(durations) / len(durations)
        rest = sum(means.get(unit.stage, average) for unit in self.unfinished.values()) - sum(spent)
        return f"; about {show_time(max(rest, 0.0) / self.jobs)} left"


def show_time(seconds: float) -> str:
    """Return a duration as ``42s``, ``3m10s`` or ``2h05m``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
