"""Trained models by name, downloaded once, checked, and read without running code.

``list_models()`` has the names, ``load(name)`` gives a model that takes images, ``register_index(path_or_url)`` makes
other people's models known; in configurations a model is ``zoo://NAME`` wherever weights are named.
"""

from __future__ import annotations

from typing import Any

from reidzoo.weights.model_file import ModelFile, read_header, read_model_file, write_model_file
from reidzoo.zoo.index import entry, list_models, register_index
from reidzoo.zoo.index_entry import IndexEntry

__all__ = [
    "IndexEntry",
    "ModelFile",
    "ReadyModel",
    "entry",
    "list_models",
    "load",
    "read_header",
    "read_model_file",
    "register_index",
    "write_model_file",
]


def __getattr__(name: str) -> Any:
    # These stand on the engine, which stands on the rest of this package.
    if name == "load":
        from reidzoo.inference.load import load

        return load
    if name == "ReadyModel":
        from reidzoo.inference.ready_model import ReadyModel

        return ReadyModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
