"""reidzoo: person and vehicle re-identification from registered parts."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from reidzoo.version import __version__

if TYPE_CHECKING:
    from reidzoo import zoo
    from reidzoo.gallery import Gallery
    from reidzoo.inference.load import load

# On a machine that others use too, OpenMP's waiting threads otherwise spin against the working ones: ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A short spin before they sleep gives back what sleeping costs on a free machine: a third of small networks' speed.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = ["Gallery", "__version__", "load", "zoo"]


def __getattr__(name: str) -> Any:
    if name == "zoo":
        return importlib.import_module("reidzoo.zoo")
    if name == "Gallery":
        return importlib.import_module("reidzoo.gallery").Gallery
    if name == "load":
        return importlib.import_module("reidzoo.inference.load").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
