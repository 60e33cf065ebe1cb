from __future__ import annotations

import sys
import textwrap

import pytest

from reidzoo.config import load_config
from reidzoo.config import plugins as plugins_module
from reidzoo.errors import ConfigError


@pytest.fixture(autouse=True)
def _in_an_own_process(tmp_path, monkeypatch):
    """Work in ``tmp_path``, and forget the plug-ins that a test wrote there: their names begin with z."""
    monkeypatch.chdir(tmp_path)
    yield
    for modules in (sys.modules, plugins_module._loaded):
        for name in [name for name in modules if name.startswith("z") and name.split(".")[0] in plugins_module._loaded]:
            del modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(str(tmp_path))]


@pytest.fixture
def write(tmp_path):
    """``write(name, text)`` writes a dedented file in the working directory."""

    def write_file(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def load(write):
    """``load(text, *opts)`` loads the text as ``a.yml``."""

    def load_text(text="", *opts, overlays=()):
        write("a.yml", text)
        return load_config("a.yml", opts, overlays)

    return load_text


@pytest.fixture
def fails(load):
    """``fails(text, *opts)`` is the message of the error that loading raises."""

    def message(text="", *opts, overlays=()):
        with pytest.raises(ConfigError) as caught:
            load(text, *opts, overlays=overlays)
        return str(caught.value)

    return message
