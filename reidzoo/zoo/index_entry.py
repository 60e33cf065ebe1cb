"""The entry of one model in an index, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidzoo.checks import MODEL_NAME, Rule
from reidzoo.weights.cache import SCHEMES
from reidzoo.yaml_check import check_mapping, mistake
from reidzoo.yaml_marks import Marked, unmark

__all__ = ["IndexEntry"]

SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".tar", ".ckpt", ".bin")


@dataclass(frozen=True)
class IndexEntry:
    """The entry of one model in an index.

    Attributes:
        name: the model's name, ``zoo://NAME`` in configurations.
        config: the configuration that it was trained with; documentation, the file carries its own.
        addresses: where the file is, tried in their order; see ``fetch``.
        sha256: the file's checksum, None where unknown.
        size: its bytes, None where unknown.
        convert: how ``reidzoo.zoo.convert`` makes a model file of it, a family and its options; None for a model file.
        metrics: dataset -> metric -> value as a fraction in [0, 1], as ``source`` states it.
        data: its training data, in words.
        source: where the numbers are stated.
        licence: the terms of the weights.
        version: version or commit of the code that trained it.
        origin: the index, a path or an address.
        where: the place in it, for messages.
    """

    name: str
    config: str | None
    addresses: tuple[str, ...]
    sha256: str | None
    size: int | None
    convert: str | None
    metrics: Mapping[str, Mapping[str, float]]
    data: str
    source: str
    licence: str
    version: str | None
    origin: str = ""
    where: str = ""

    @classmethod
    def read(cls, name: str, node: Marked, origin: str) -> IndexEntry:
        """Check the entry ``name`` of the index ``origin``.

        Raises:
            ConfigError: an unknown or missing key, or a value of another kind; with file and line.
        """
        if not MODEL_NAME.accepts(name):
            raise mistake(node, name, f"a model's name is {MODEL_NAME.expected}")
        entries = check_mapping(node, _RULES, name, required=_RULES)
        values = {key: unmark(entries[key]) for key in _RULES}
        return cls(name, **{**values, "addresses": tuple(values["addresses"])}, origin=origin, where=node.where)

    @property
    def folder(self) -> Path | None:
        """Where relative ``file:`` addresses start from; None if the index is not on this machine."""
        return None if re.match(r"https?://", self.origin) else Path(self.origin).parent

    @property
    def filename(self) -> str:
        """The file's path in ``weights_home()``; another state of the file has another name, where it is known."""
        paths = [address for address in self.addresses if not address.startswith("gdrive:")]
        suffixes = [suffix for path in paths for suffix in SUFFIXES if path.endswith(suffix)]
        suffix = suffixes[0] if suffixes else ".pth" if self.convert else ".safetensors"
        return f"zoo/{self.name}{f'-{self.sha256[:8]}' if self.sha256 else ''}{suffix}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_addresses(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(a, str) and a.startswith(SCHEMES) for a in value)


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(figures, dict) and figures and all(type(x) in (int, float) and 0 <= x <= 1 for x in figures.values())
        for figures in value.values()
    )


def _or_null(rule: Rule) -> Rule:
    return Rule(f"{rule.expected}, or null", lambda value: value is None or rule.accepts(value))


_TEXT = Rule("a text (in quotes if it looks like a number)", _is_text)
_RULES = {
    "config": _or_null(_TEXT),
    "addresses": Rule(f"a list of addresses that begin with {', '.join(SCHEMES)}", _are_addresses),
    "sha256": _or_null(Rule("64 hexadecimal digits in lower case (in quotes if they look like a number)", _is_sha256)),
    "size": _or_null(Rule("a number of bytes", _is_size)),
    "convert": _or_null(Rule("a family of reidzoo.zoo.convert with its options", _is_text)),
    "metrics": Rule("dataset -> metric -> a fraction in [0, 1], not percent", _are_metrics),
    "data": _TEXT,
    "source": _TEXT,
    "licence": _TEXT,
    "version": _or_null(_TEXT),
}
