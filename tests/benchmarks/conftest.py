"""Benchmarks are scripts beside one another; here they are loaded as Python runs them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def module(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def load(monkeypatch):
    """A function that loads a script by its name; nothing is left behind in ``sys.modules``."""
    for shared in ("common", "people"):
        monkeypatch.setitem(sys.modules, shared, module(shared))
    return module
