"""From a model's name to a file on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reidzoo.registry import SCHEME
from reidzoo.version import __version__
from reidzoo.weights.cache import fetch, make_once, sha256_of
from reidzoo.zoo.index import entry
from reidzoo.zoo.index_entry import IndexEntry

__all__ = ["locate", "plain_name"]


def plain_name(name: str) -> str:
    """Return ``NAME`` of ``zoo://NAME``; others as they are."""
    return name.removeprefix("zoo://")


@SCHEME.register_module(name="zoo")
def locate(name: str) -> Path:
    """Return the model file of ``NAME`` or ``zoo://NAME``, downloaded, checked and converted where needed.

    Raises:
        UnknownModelError: no index has the name.
        WeightsError: it cannot be had, or it does not convert.
    """
    found = entry(plain_name(name))
    path = fetch(
        found.addresses, found.filename, sha256=found.sha256 or "", size=found.size, folder=found.folder,
        title=found.name,
    )  # fmt: skip
    return _converted(found, found.convert, path) if found.convert else path


def _converted(found: IndexEntry, how: str, path: Path) -> Path:
    """Return the model file of another toolkit's file, converted once for each of its states and of our versions."""
    digest = sha256_of(path)
    key = hashlib.sha256(f"{digest} {how} {__version__}".encode()).hexdigest()

    def make(target: Path) -> None:
        from reidzoo.zoo.convert import convert_file  # builds models, and those may ask for weights

        facts = {"metrics": dict(found.metrics), "original_sha256": digest}
        facts |= {key: getattr(found, key) for key in ("name", "data", "source", "licence", "version")}
        convert_file(how, path, target, facts)

    return make_once(f"zoo/{found.name}-converted-{key[:8]}.safetensors", make)
