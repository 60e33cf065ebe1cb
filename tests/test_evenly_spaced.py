from __future__ import annotations

import pytest

from reidzoo.evenly_spaced import evenly_spaced


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(0, 3, []), (1, 3, [0]), (2, 3, [0, 1]), (3, 3, [0, 1, 2]), (9, 3, [0, 4, 8]), (10, 3, [0, 4, 9]), (9, 1, [0])],
)
def test_the_first_the_last_and_some_between(count, most, expected):
    assert evenly_spaced(count, most).tolist() == expected
