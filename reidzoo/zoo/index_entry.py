"""What an index says of one model, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from reidzoo.errors import ConfigError
from reidzoo.suggest import closest
from reidzoo.weights.cache import SCHEMES
from reidzoo.yaml_marks import Marked, unmark

__all__ = ["IndexEntry"]

SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".tar", ".ckpt", ".bin")


@dataclass(frozen=True)
class IndexEntry:
    """One model of an index.

    Attributes:
        name: what it is called, ``zoo://NAME`` in configurations.
        config: the configuration that it was trained with; documentation, the file carries its own.
        addresses: where the file is, tried in their order; see `fetch`.
        sha256: the file's checksum, None where unknown.
        size: its bytes, None where unknown.
        convert: how ``reidzoo.zoo.convert`` makes a model file of it, a family and its options; None for a model file.
        metrics: dataset -> metric -> value as a fraction in [0, 1], as ``source`` states it.
        data: what it was trained on.
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
        where = f"{node.where}: {name}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ConfigError(f"{where}: a model's name is made of letters, digits, _ and -")
        if not isinstance(node.value, dict):
            raise ConfigError(f"{where}: expected a mapping with {', '.join(_KEYS)}")
        for key, child in node.value.items():
            if key not in _KEYS:
                near = closest(key, _KEYS, 0.6)
                hint = f"did you mean {near}?" if near else f"the keys are {', '.join(_KEYS)}"
                raise ConfigError(f"{child.where}: {name}: unknown key {key}; {hint}")
        missing = [key for key in _KEYS if key not in node.value]
        if missing:
            raise ConfigError(f"{where}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
        values: dict[str, Any] = {}
        for key in _KEYS:
            value, expected = unmark(node.value[key]), _EXPECTED[key]
            if not _RULES[key](value):
                got = "null" if value is None else repr(value)
                raise ConfigError(f"{node.value[key].where}: {name}.{key}: expected {expected}; got {got[:80]}")
            values[key] = tuple(value) if key == "addresses" else value
        return cls(name, **values, origin=origin, where=node.where)

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


def _is_text_or_null(value: Any) -> bool:
    return value is None or _is_text(value)


def _are_addresses(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(a, str) and a.startswith(SCHEMES) for a in value)


def _is_sha256(value: Any) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None)


def _is_size(value: Any) -> bool:
    return value is None or (type(value) is int and value > 0)


def _are_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(figures, dict) and figures and all(type(x) in (int, float) and 0 <= x <= 1 for x in figures.values())
        for figures in value.values()
    )


_TEXT, _TEXT_OR_NULL = "a text (in quotes if it looks like a number)", "a text (in quotes if it is a number) or null"
_EXPECTED = {
    "config": _TEXT_OR_NULL,
    "addresses": f"a list of addresses that begin with {', '.join(SCHEMES)}",
    "sha256": "64 hexadecimal digits in lower case (in quotes if they look like a number), or null",
    "size": "a number of bytes, or null",
    "convert": "a family of reidzoo.zoo.convert with its options, or null",
    "metrics": "dataset -> metric -> a fraction in [0, 1], not percent",
    "data": _TEXT,
    "source": _TEXT,
    "licence": _TEXT,
    "version": _TEXT_OR_NULL,
}
_RULES = {
    "config": _is_text_or_null,
    "addresses": _are_addresses,
    "sha256": _is_sha256,
    "size": _is_size,
    "convert": _is_text_or_null,
    "metrics": _are_metrics,
    "data": _is_text,
    "source": _is_text,
    "licence": _is_text,
    "version": _is_text_or_null,
}
_KEYS = [field.name for field in fields(IndexEntry) if field.name not in ("name", "origin", "where")]
