"""Tells how far a table is: units done of all, what runs, and about how long the rest will take."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from reidzoo.tables.units import Unit

__all__ = ["Progress", "show_time"]


class Progress:
    """A line that is rewritten on a terminal; in a file or a pipe a line per unit that starts or ends.

    Args:
        stream: where to; None for standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.left: dict[str, Unit] = {}
        self.total, self.jobs, self.shown = 0, 1, 0.0
        self.times: dict[str, list[float]] = {}

    def begin(self, units: Iterable[Unit], jobs: int) -> None:
        """Take note of all units; the times of those that are done tell about the others."""
        units = list(units)
        self.total, self.jobs = len(units), jobs
        self.left = {unit.key: unit for unit in units if not unit.done}
        for unit in units:
            if unit.done and unit.seconds:
                self.times.setdefault(unit.stage, []).append(unit.seconds)

    def started(self, unit: Unit) -> None:
        """Say that a unit runs."""
        if not self.live:
            self.say(f"{self._count()}  {unit.name} runs")

    def finished(self, unit: Unit, seconds: float) -> None:
        """Say that a unit is done, and how long it took in all."""
        self.left.pop(unit.key, None)
        self.times.setdefault(unit.stage, []).append(seconds)
        self.say(f"{self._count()}  {unit.name} done in {show_time(seconds)}{self._rest([])}")

    def broke(self, unit: Unit, reason: str) -> None:
        """Say that a unit failed."""
        self.left.pop(unit.key, None)
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
        """Write a line that stays."""
        self.stream.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _count(self) -> str:
        return f"[{self.total - len(self.left)}/{self.total}]"

    def _rest(self, spent: Sequence[float]) -> str:
        """Return about how long the rest takes; a stage that never ran is taken to be an average one."""
        known = [seconds for times in self.times.values() for seconds in times]
        if not known or not self.left:
            return ""
        means = {stage: sum(times) / len(times) for stage, times in self.times.items()}
        average = sum(known) / len(known)
        rest = sum(means.get(unit.stage, average) for unit in self.left.values()) - sum(spent)
        return f"; about {show_time(max(rest, 0.0) / self.jobs)} left"


def show_time(seconds: float) -> str:
    """Return a duration as ``42s``, ``3m10s`` or ``2h05m``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
