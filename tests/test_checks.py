from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from reidzoo import checks
from reidzoo.checks import check, each, either, mapping_of, number, one_of, optional, ordered, whole
from reidzoo.errors import ConfigError

STRANGE = [None, True, "", "1", [], {}, math.nan, math.inf, -math.inf, object(), 1j, np.array([1.0, 2.0])]


@pytest.mark.parametrize(
    "rule, right, wrong",
    [
        (whole(1, 9), [1, 9, np.int64(3)], [0, 10, 1.0, 10**400]),
        (whole(0), [0, 2**31 - 1], [-1, 2**31]),
        (whole(2, 64, multiple_of=2), [2, 64], [1, 3, 66]),
        (number(), [-3, 0.5, np.float32(2)], [1e300, -(10**400)]),
        (number(0, 1), [0, 1, 0.5], [-1e-9, 1 + 1e-9]),
        (number(above=0, below=1), [1e-12, 0.999], [0, 1]),
        (one_of(1, 2), [1, 2], [3, 1.0]),
        (one_of("a", "b"), ["a", "b"], ["c", "ab"]),
        (each(whole(1), 2), [[1, 2], (3, 4)], [[1], [1, 2, 3], [1, "2"], "12"]),
        (each(whole(1), least=1), [[1], [1, 2, 3]], [[0]]),
        (ordered(number(above=0)), [[1, 2], [2, 2]], [[2, 1], [1], [0, 1]]),
        (mapping_of(whole(0), 1), [{"a": 0}], [{"a": -1}, {1: 0}]),
        (checks.FLAG, [False], [0, "true"]),
        (checks.TEXT, ["a"], [" "]),
        (checks.PATH, ["a", Path("a")], [" "]),
        (checks.NODE, [{"type": "A"}], [{"type": 1}, {"type": ""}, "A"]),
        (checks.NODE_OR_NAME, [{"type": "A"}, "A"], [{"kind": "A"}]),
    ],
)
def test_rules(rule, right, wrong):
    assert all(map(rule.accepts, right))
    assert not [value for value in wrong if rule.accepts(value)]
    accepted = [value for value in STRANGE if rule.accepts(value)]
    expected = {id(checks.FLAG): [True], id(checks.TEXT): ["1"], id(checks.PATH): ["1"], id(checks.NODE_OR_NAME): ["1"]}
    assert accepted == expected.get(id(rule), [])


def test_either_and_optional_say_what_they_take():
    assert either(one_of(0), whole(2, 9)).expected == "0, or a whole number from 2 to 9"
    assert optional(number(0)).expected == "a number of at least 0, or null"
    assert optional(number(0)).accepts(None) and not optional(number(0)).accepts(-1)


@pytest.mark.parametrize(
    "rule, words",
    [
        (whole(1), "a whole number of at least 1"),
        (whole(2, 8, multiple_of=2), "a whole multiple of 2 from 2 to 8"),
        (number(), "a finite number"),
        (number(0, 1), "a number from 0 to 1"),
        (number(above=0), "a number above 0"),
        (number(above=0, most=1), "a number above 0 and of at most 1"),
        (number(0, below=1), "a number of at least 0 and below 1"),
        (each(whole(1), 2), "a list of 2 values, each a whole number of at least 1"),
        (mapping_of(whole(0), 1), "a mapping of one or more names to values, each a whole number of at least 0"),
    ],
)
def test_words(rule, words):
    assert rule.expected == words


def test_the_message_has_the_class_the_argument_and_both_values():
    class Sampler:
        def __init__(self, size, p):
            check(self, whole(1), size=size)
            check(self, number(0, 1), p=p)

    Sampler(3, 0.5)
    with pytest.raises(ConfigError, match=r"^Sampler: p must be a number from 0 to 1, got 'x'$"):
        Sampler(3, "x")
    with pytest.raises(ConfigError, match=r"^Sampler: size must be .*, got null$"):
        Sampler(None, 0.5)
    with pytest.raises(ConfigError, match=r"^Sampler: size must be .*, got 2147483648, which is too large$"):
        Sampler(2**31, 0.5)
    with pytest.raises(ConfigError, match=r"\.\.\.$"):
        check("a long value", whole(1), size="x" * 1000)
