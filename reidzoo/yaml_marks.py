"""YAML with places: every value knows the file and line, or the override, that said it.

The scalars are those of YAML 1.2 with plain decimal numbers, because YAML 1.1 reads ``010`` as 8, ``1:30`` as 90 and
``no`` as False: only ``true`` and ``false`` are booleans, ``1e-3`` is a number, and everything else is a string. An
unquoted ``010``, ``yes``, ``no``, ``on`` or ``off`` is a string that remembers how it was written (``Doubtful``): where
a declared key says what is expected it is checked against that, and where nobody can say it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from reidzoo.errors import ConfigError

__all__ = ["Doubtful", "Marked", "dump_yaml", "ends_in_comment", "parse_yaml", "unmark", "with_place"]

MOST_EXPANDED = 100_000
"""Values that a document with aliases may stand for, each alias counted as all that it repeats."""

_TAG = "tag:yaml.org,2002:"
_DOUBTFUL_TAG = "!doubtful"
_SCALAR_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null")}
_KEY_TAGS = (_TAG + "str", _TAG + "merge", _DOUBTFUL_TAG)
_RESOLVERS = (
    (_TAG + "bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_TAG + "null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_TAG + "int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        _TAG + "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_TAG + "merge", r"<<", "<"),
    (_DOUBTFUL_TAG, r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|[-+]?0[0-9]+", "yYnNoO-+0"),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _class in (_Loader, _Dumper):
    for _tag, _pattern, _first in _RESOLVERS:
        _class.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), list(_first))


class Doubtful(str):
    """An unquoted scalar that YAML 1.1 would not have read as the string it is here."""


@dataclass(frozen=True)
class Marked:
    """A value and the place that said it, such as ``rp_msmt.yml:12``.

    ``value`` is a scalar, a list of ``Marked`` or a dict of ``Marked``.
    """

    value: Any
    where: str


def parse_yaml(text: str, where: Callable[[int], str]) -> Marked:
    """Parse one YAML document; ``where(line)`` names a place in it, lines counted from 1.

    Raises:
        ConfigError: not valid YAML, a duplicate key, a key that is not a string, a tag that is not plain data, or
            aliases that stand for more than ``MOST_EXPANDED`` values.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Marked(None, where(1))
        _check_aliases(root, where)
        return _Marker(loader, where).mark(root)
    except RecursionError:
        raise ConfigError(f"{where(1)}: not valid YAML: it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = where(mark.line + 1 if mark else 1)
        raise ConfigError(f"{place}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where(1)}: not valid YAML: {error}") from None


def ends_in_comment(text: str) -> bool:
    """Whether YAML would leave out the end of ``text``, or all of it, as a comment."""
    root = _Loader(text).get_single_node()
    return text[root.end_mark.index if root else 0 :].lstrip().startswith("#")


def dump_yaml(value: Any) -> str:
    """Write plain data as YAML that ``parse_yaml`` reads back as the same data, in the same order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)


def unmark(marked: Marked) -> Any:
    """Return the plain data without places."""
    value = marked.value
    if isinstance(value, dict):
        return {key: unmark(child) for key, child in value.items()}
    if isinstance(value, list):
        return [unmark(child) for child in value]
    return value


def with_place(value: Any, where: str) -> Marked:
    """Give plain data one place; the inverse of ``unmark``."""
    if isinstance(value, dict):
        return Marked({key: with_place(child, where) for key, child in value.items()}, where)
    if isinstance(value, (list, tuple)):
        return Marked([with_place(child, where) for child in value], where)
    return Marked(value, where)


def _check_aliases(root: yaml.Node, where: Callable[[int], str]) -> None:
    """Raise ConfigError for aliases that stand for too much, or for themselves, before anything follows them."""
    written, sizes, opened = 0, {}, set()

    def size(node: yaml.Node) -> int:
        nonlocal written
        if id(node) in opened:
            raise ConfigError(f"{where(node.start_mark.line + 1)}: an anchor contains itself")
        if id(node) not in sizes:
            written += 1
            opened.add(id(node))
            below = [] if isinstance(node, yaml.ScalarNode) else node.value
            pairs = below if isinstance(node, yaml.MappingNode) else [(child,) for child in below]
            sizes[id(node)] = 1 + sum(size(child) for pair in pairs for child in pair)
            opened.remove(id(node))
        return sizes[id(node)]

    total = size(root)
    if total > written and total > MOST_EXPANDED:
        raise ConfigError(f"{where(1)}: its aliases stand for {total:,} values; {MOST_EXPANDED:,} is the most")


class _Marker:
    """Turns a document's YAML nodes into ``Marked`` values; a node that aliases share is read once."""

    def __init__(self, loader: _Loader, where: Callable[[int], str]) -> None:
        self.loader, self.where = loader, where
        self.values: dict[int, Any] = {}
        self.open: set[int] = set()

    def mark(self, node: yaml.Node) -> Marked:
        place = self.where(node.start_mark.line + 1)
        if id(node) in self.open:
            raise ConfigError(f"{place}: an anchor contains itself")
        if id(node) not in self.values:
            self.open.add(id(node))
            self.values[id(node)] = self.read(node, place)
            self.open.remove(id(node))
        return Marked(self.values[id(node)], place)

    def read(self, node: yaml.Node, place: str) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.read_mapping(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.mark(child) for child in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag == _DOUBTFUL_TAG:
            return Doubtful(node.value)
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALAR_TAGS:
            try:
                return self.loader.construct_object(node)
            except (ValueError, KeyError):
                raise ConfigError(f"{place}: {node.value!r} is not a {node.tag.removeprefix(_TAG)}") from None
        raise ConfigError(f"{place}: {node.tag} is not plain data (numbers, strings, lists and mappings)")

    def read_mapping(self, node: yaml.MappingNode) -> dict[str, Marked]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "it"
                raise ConfigError(f"{self.where(line)}: keys are strings; put {shown} in quotes")
            if key.value in first:
                raise ConfigError(f"{self.where(line)}: duplicate key {key.value}, first at line {first[key.value]}")
            first[key.value] = line
        # `<<: *anchor`: the anchor's entries come first, so that the mapping's own win.
        self.loader.flatten_mapping(node)
        return {
            key.value: Marked(self.mark(child).value, self.where(key.start_mark.line + 1)) for key, child in node.value
        }
