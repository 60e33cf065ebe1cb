"""Checks marked YAML: a value against the rule of its key, and the keys of a mapping against those that it may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reidzoo.checks import Rule
from reidzoo.errors import ConfigError
from reidzoo.suggest import suggestion
from reidzoo.yaml_marks import Marked, unmark

__all__ = ["TYPES", "check_mapping", "check_value", "is_list_of_names", "mistake", "show_value"]

_SHOWN = 80


TYPES: dict[type, Rule] = {
    bool: Rule("true or false", lambda value: isinstance(value, bool)),
    int: Rule("an integer", lambda value: type(value) is int),
    float: Rule("a number", lambda value: type(value) is float or (type(value) is int and abs(value) < 2**64)),
    str: Rule("a string", lambda value: isinstance(value, str)),
    list: Rule("a list", lambda value: isinstance(value, list)),
    tuple: Rule("a list", lambda value: isinstance(value, list)),
    dict: Rule("a mapping", lambda value: isinstance(value, dict)),
}
"""The rule of a value whose type is all that matters; an integer is a number, and an unquoted ``no`` is a string."""


def is_list_of_names(value: Any) -> bool:
    """Return whether a value is a list of strings, none of them empty."""
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def check_value(node: Marked, rule: Rule, name: str) -> Any:
    """Return the plain value that ``node`` gives the key ``name``.

    Raises:
        ConfigError: it breaks the rule.
    """
    value = unmark(node)
    if not rule.accepts(value):
        raise mistake(node, name, f"expected {rule.expected}, got {show_value(value)}")
    return value


def check_mapping(
    node: Marked, rules: Mapping[str, Rule], name: str, required: Collection[str] = ()
) -> dict[str, Marked]:
    """Return the entries of a mapping whose keys are among those of ``rules``; ``name`` is "" for a whole file.

    Raises:
        ConfigError: it is not a mapping, has an unknown key or lacks a required one, or a value breaks its rule.
    """
    if not isinstance(node.value, dict):
        raise mistake(node, name, f"expected a mapping with {', '.join(rules)}")
    prefix = f"{name}." if name else ""
    for key, child in node.value.items():
        if key not in rules:
            known = f"{name or 'the top level'} has {', '.join(rules)}"
            hint = suggestion(key, rules, known, prefix, cutoff=0.6)
            raise ConfigError(f"{child.where}: unknown key {prefix}{key}; {hint}")
        check_value(child, rules[key], prefix + key)
    missing = [key for key in required if key not in node.value]
    if missing:
        raise mistake(node, name, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    return node.value


def mistake(node: Marked, name: str, message: str) -> ConfigError:
    """Return the error of what ``node`` gives the key ``name``, with its place; an override names the key by itself."""
    place = node.where if not name or node.where == f"override {name}" else f"{node.where}: {name}"
    return ConfigError(f"{place}: {message}")


def show_value(value: Any) -> str:
    """Return a plain value as a message shows it, cut where it is long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return (f"the string {str(value)!r}" if isinstance(value, str) else repr(value))[:_SHOWN]
