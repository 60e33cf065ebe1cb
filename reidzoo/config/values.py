"""Reads the values of keys, and checks them against their defaults' types and what ``defaults`` says of them."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from reidzoo.checks import Rule, show
from reidzoo.config.defaults import CHOICES, HINTS, LENGTHS, MIXED, RANGES, free
from reidzoo.config.keys import lookup
from reidzoo.errors import ConfigError
from reidzoo.yaml_check import TYPES, check_value, mistake
from reidzoo.yaml_marks import Doubtful, Marked

__all__ = ["check_ranges", "declared_value", "plain_value"]


def declared_value(child: Marked, default: Any, path: str, prefix: str = "") -> Any:
    """Return the value in the type of ``default``: an integer becomes a float where one is expected.

    Args:
        child: the value as a file gives it.
        default: of the key.
        path: of the key.
        prefix: stands before the path in messages.

    Raises:
        ConfigError: the value has another type, or is not one that the key takes.
    """
    name = prefix + path
    if default is None:
        return plain_value(child, name)
    kind = type(default)
    if isinstance(child.value, list) and kind in (list, tuple):
        value = kind(_elements(child, default, path, prefix))
    elif path in MIXED:
        value = plain_value(child, name)
    else:
        value = kind(check_value(child, TYPES[kind], name))
    if path in CHOICES:
        *others, last = CHOICES[path]
        check_value(child, Rule(f"{', '.join(others)} or {last}", CHOICES[path].__contains__), name)
    if path in RANGES and not RANGES[path].accepts(value):
        raise mistake(child, name, _out_of_range(path, value))
    return value


def plain_value(child: Marked, name: str) -> Any:
    """Return an undeclared value as plain data.

    Raises:
        ConfigError: a scalar in it is doubtful, for no key says its type.
    """
    value = child.value
    if isinstance(value, Doubtful):
        meant = f"{int(value)}" if value.lstrip("+-").isdigit() else "true or false"
        raise mistake(child, name, f"{value} is read differently by different YAML; write {meant}, or quote it")
    if isinstance(value, list):
        return [plain_value(element, f"{name}[{index}]") for index, element in enumerate(value)]
    if isinstance(value, dict):
        node = free()
        for key, element in value.items():
            node[key] = plain_value(element, f"{name}.{key}")
        return node
    return value


def check_ranges(cfg: CfgNode, prefix: str = "") -> None:
    """Check every declared value of a configuration that code may have changed since its files were read.

    Raises:
        ConfigError: one is out of its range.
    """
    for path, rule in RANGES.items():
        value = lookup(cfg, path)
        if not rule.accepts(value):
            raise ConfigError(f"{prefix}{path}: {_out_of_range(path, value)}")


def _elements(child: Marked, default: list | tuple, path: str, prefix: str) -> list[Any]:
    elements = child.value
    if path in LENGTHS and len(elements) != LENGTHS[path]:
        raise mistake(child, prefix + path, f"expected {LENGTHS[path]} elements, got {len(elements)}")
    alike = len({type(element) for element in default}) == 1 and type(default[0]) in (bool, int, float, str)
    return [
        declared_value(element, default[0] if alike else None, f"{path}[{index}]", prefix)
        for index, element in enumerate(elements)
    ]


def _out_of_range(path: str, value: Any) -> str:
    hint = f" ({HINTS[path]})" if path in HINTS else ""
    return f"expected {RANGES[path].expected}{hint}; got {show(value)}"
