"""A limit on time: raised once, then as Ctrl-C; the handler and the clock are given back."""

from __future__ import annotations

import signal
import time

import pytest

from reidzoo.tables.time_limit import TimeUp, time_limit


def test_time_is_up_and_then_it_is_ctrl_c():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), time_limit(0.05, grace=0.05):
        try:
            time.sleep(5)
        except TimeUp:
            time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) == before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_ends_in_time_is_left_alone():
    for seconds in (None, 30):
        with time_limit(seconds):
            pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
