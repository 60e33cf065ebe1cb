"""What the log tells people."""

from __future__ import annotations

import pytest

from reidzoo.hooks.log import in_words


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (5000, "83 min"), (5400, "1 h 30 min"), (7500, "2 h 05 min")],
)
def test_durations_as_people_say_them(seconds, words):
    assert in_words(seconds) == words
