from __future__ import annotations

from reidzoo.datasets import Record


def test_defaults():
    assert Record("a.jpg", 3, 1) == ("a.jpg", 3, 1, 0, -1, -1)
