"""Listens for the signals that ask a run to stop, and restores the handlers afterwards."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

from reidzoo import distributed

__all__ = ["StopSignal", "stop_signal"]

NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Ctrl-C, and what batch systems send before they end a job."""
ONE_REQUEST = 1.0
"""Seconds within which several signals are one: torchrun passes on the Ctrl-C that a terminal sends to all."""


class StopSignal:
    """Knows whether this process was asked to stop since ``listening`` began; there is one, as signals are a process's.

    Attributes:
        asked: whether it was; the run stops at its next save point, or between two stages.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}
        self._since = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the first signal as a question; a later one does what it would have done before.

        In a thread other than the main one, where Python cannot hear signals, nothing is done.
        """
        self.asked = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [number for number in NUMBERS if signal.getsignal(number) != signal.SIG_IGN]  # as in a background
        self._before = {number: signal.signal(number, self._hear) for number in heard}
        try:
            yield
        finally:
            self._give_back()

    def _hear(self, number: int, frame: Any) -> None:
        if not self.asked:
            self.asked, self._since = True, time.monotonic()
        elif time.monotonic() - self._since > ONE_REQUEST:
            self._give_back()
            signal.raise_signal(number)

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def agreed(self, asked: bool = False) -> bool:
        """Return whether any process of the run was asked, the same on all of them; every process must call it."""
        return distributed.any_rank(self.asked or asked)


stop_signal = StopSignal()
"""The process's own."""
