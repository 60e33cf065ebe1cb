"""A limit on how long the units of a table may run."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

__all__ = ["GRACE", "TimeUp", "time_limit"]

GRACE = 60.0
"""Seconds that running units have to save themselves."""


class TimeUp(Exception):
    """The time is up."""


@contextlib.contextmanager
def time_limit(seconds: float | None, grace: float = GRACE) -> Iterator[None]:
    """Raise ``TimeUp`` in the body after ``seconds``, and ``grace`` later what Ctrl-C raises; None is no limit."""
    if seconds is None:
        yield
        return
    late = False

    def stop(*_: object) -> None:
        nonlocal late
        late, again = True, late
        raise KeyboardInterrupt if again else TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, grace)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
