"""Hears SIGINT and SIGTERM for a run, and gives the handlers back."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from reidzoo import distributed

__all__ = ["StopSignal", "stop_signal"]

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Whether this process was asked to stop since ``listening`` began; signals belong to the process, so it is one.

    Attributes:
        asked: whether it was; the run stops at its next save point, or between two stages.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the first SIGINT or SIGTERM as a question; a second one does what it would have done before.

        In a thread other than the main one, where Python cannot hear signals, nothing is done.
        """
        self.asked = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in NUMBERS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _hear(self, number: int, frame: Any) -> None:
        self.asked = True
        for either in NUMBERS:
            signal.signal(either, signal.SIG_DFL)  # a second one ends the process at once

    def agreed(self, asked: bool = False) -> bool:
        """Return whether any process of the run was asked, the same on all of them; every process must call it."""
        return any(distributed.gather_objects(self.asked or asked))


stop_signal = StopSignal()
"""The process's own."""
