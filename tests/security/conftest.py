"""A payload that leaves a mark where it runs, and the served models' fixtures."""

from __future__ import annotations

import sys

import pytest

from ..served_models import home, idle_server, no_indexes, server, tiny_config, write_index, write_tiny  # noqa: F401

PAYLOAD = """
from pathlib import Path
def fire(*args, **kwargs):
    Path({mark!r}).touch()
class Thing:
    def __init__(self, *args, **kwargs):
        fire()
{at_import}
"""


@pytest.fixture
def mark(tmp_path):
    """Return the file that a payload that runs leaves."""
    return tmp_path / "the_mark"


@pytest.fixture
def payload(tmp_path, mark, monkeypatch):
    """Put two installed modules on the path, ``payload_import`` that fires when imported and ``payload_call``."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "payload_import.py").write_text(PAYLOAD.format(mark=str(mark), at_import="fire()"))
    (site / "payload_call.py").write_text(PAYLOAD.format(mark=str(mark), at_import=""))
    monkeypatch.syspath_prepend(site)
    yield site
    for name in [name for name in sys.modules if name.startswith("payload_")]:
        del sys.modules[name]
