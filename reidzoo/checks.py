"""Rules for the values of arguments and keys, in words for the user and as a test.

A constructor says in its first lines what it takes::

    check(self, whole(1), num_clusters=num_clusters, max_iters=max_iters)
    check(self, PROBABILITY, dropout=dropout)
    check(self, optional(number(0)), margin=margin)

True and false are no numbers, a string is never one, and no rule lets NaN or infinity through.
"""

from __future__ import annotations

import math
import numbers
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reidzoo.errors import ConfigError

__all__ = [
    "ARGUMENTS", "DROPOUT", "FLAG", "MODEL_NAME", "NODE", "NODE_OR_NAME", "PATH", "PROBABILITY", "TEXT", "WEIGHTS",
    "WIDTH", "Rule", "check", "each", "either", "mapping_of", "number", "one_of", "optional", "ordered", "show",
    "whole",
]  # fmt: skip

LARGEST, LARGEST_WHOLE = 10**6, 2**31 - 1
"""What numbers, and whole numbers, may not exceed where their rule names no other limit."""


@dataclass(frozen=True)
class Rule:
    """A rule of which values are right.

    Attributes:
        expected: in words that follow "must be".
        accepts: tells whether a value is right; no value makes it raise.
    """

    expected: str
    accepts: Callable[[Any], bool]


def check(owner: object, rule: Rule, /, **values: Any) -> None:
    """Check the arguments ``values``, by name, of ``owner``: an object that is being built, or the name to blame.

    Raises:
        ConfigError: one breaks the rule; the message has the class, the argument, what was expected and what was given.
    """
    for name, value in values.items():
        if not rule.accepts(value):
            who = owner if isinstance(owner, str) else type(owner).__name__
            raise ConfigError(f"{who}: {name} must be {rule.expected}, got {show(value)}")


def show(value: Any) -> str:
    """Return a wrong value as a message shows it: at most 60 characters, and whether it is too large."""
    text = "null" if value is None else repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{text}, which is too large" if _is_number(value) and value > LARGEST else text


def whole(least: int, most: int = LARGEST_WHOLE, multiple_of: int = 1) -> Rule:
    """Return the rule of whole numbers from ``least`` to ``most``, both included."""
    kind = f"a whole multiple of {multiple_of}" if multiple_of > 1 else "a whole number"

    def accepts(value: Any) -> bool:
        is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return is_whole and least <= value <= most and value % multiple_of == 0

    limit = None if most == LARGEST_WHOLE else most
    return Rule(f"{kind} {_range(least, limit)}", accepts)


def number(
    least: float | None = None, most: float = LARGEST, *, above: float | None = None, below: float | None = None
) -> Rule:
    """Return the rule of finite numbers from ``least`` to ``most``, both included, or from ``above`` to ``below``."""
    low = -LARGEST if least is None else least

    def accepts(value: Any) -> bool:
        inside = _is_number(value) and low <= value <= most
        return inside and (above is None or value > above) and (below is None or value < below)

    words = [f"above {above}"] if above is not None else []
    limit = None if most == LARGEST else most
    words += [_range(least, limit)] if least is not None or limit is not None else []
    words += [f"below {below}"] if below is not None else []
    return Rule(f"a number {' and '.join(words)}" if words else "a finite number", accepts)


def one_of(*choices: Any) -> Rule:
    """Return the rule of values out of a list."""

    def accepts(value: Any) -> bool:
        return any(type(value) is type(choice) and value == choice for choice in choices)

    words = ", ".join(map(str, choices))
    return Rule(f"one of {words}" if len(choices) > 1 else words, accepts)


def either(*rules: Rule) -> Rule:
    """Return the rule of values that keep one of ``rules``."""
    words = ", or ".join(rule.expected for rule in rules)
    return Rule(words, lambda value: any(rule.accepts(value) for rule in rules))


def optional(rule: Rule) -> Rule:
    """Return the rule that also takes null."""
    return either(rule, Rule("null", lambda value: value is None))


def each(rule: Rule, length: int | None = None, least: int = 0) -> Rule:
    """Return the rule of lists and tuples whose elements keep ``rule``: ``length`` of them, or ``least`` and more."""
    count = f"{length} values" if length is not None else "values" if not least else f"{least} or more values"

    def accepts(value: Any) -> bool:
        fits = isinstance(value, list | tuple) and len(value) >= least and (length is None or len(value) == length)
        return fits and all(map(rule.accepts, value))

    return Rule(f"a list of {count}, each {rule.expected}", accepts)


def ordered(rule: Rule) -> Rule:
    """Return the rule of two values that keep ``rule``, the least first."""
    pair = each(rule, 2)
    return Rule(
        f"a list of two values, the least first, each {rule.expected}",
        lambda value: pair.accepts(value) and value[0] <= value[1],
    )


def mapping_of(rule: Rule, least: int = 0) -> Rule:
    """Return the rule of mappings of names to values that keep ``rule``."""

    def accepts(value: Any) -> bool:
        named = isinstance(value, Mapping) and len(value) >= least and all(isinstance(name, str) for name in value)
        return named and all(map(rule.accepts, value.values()))

    return Rule(f"a mapping of {'one or more ' if least else ''}names to values, each {rule.expected}", accepts)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, numbers.Real) and not isinstance(value, bool) and value < math.inf and not value <= -math.inf
    )


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return f"of at most {most}"
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("type"), str) and bool(value["type"])


FLAG = Rule("true or false", lambda value: isinstance(value, bool))
PROBABILITY = number(0, 1)
DROPOUT = number(0, below=1)
WIDTH = whole(1, 65536)
"""Channels or units of a layer."""
TEXT = Rule("a name", lambda value: isinstance(value, str) and bool(value.strip()))
WEIGHTS = Rule("a path or a name, or '' for none", lambda value: value is None or isinstance(value, str | os.PathLike))
PATH = Rule("a path", lambda value: isinstance(value, str | os.PathLike) and bool(str(value).strip()))
MODEL_NAME = Rule(
    "made of letters, digits, _ and -",
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value) is not None,
)
ARGUMENTS = optional(mapping_of(Rule("anything", lambda value: True)))
"""Further arguments of what a part builds, by name; which of them are right is for that to say."""
NODE = Rule("a mapping with a type", _is_node)
NODE_OR_NAME = Rule("a name, or a mapping with a type", lambda value: TEXT.accepts(value) or _is_node(value))
