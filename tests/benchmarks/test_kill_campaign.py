"""The campaign strikes a run, and finds it equal to one that was left in peace."""

from __future__ import annotations

import collections
import re

import pytest


@pytest.mark.slow
def test_a_struck_run_is_equal(load, tiny_root, capsys):
    assert load("kill_campaign").main(["--runs", "1", "--processes", "1", "--data-root", str(tiny_root)]) == 0
    said = capsys.readouterr().out
    assert "run 0: equal" in said and re.search(r" 1  equal$", said, re.MULTILINE)


def test_a_run_that_differs_is_an_exit_code(load, tiny_root, monkeypatch, capsys):
    script = load("kill_campaign")
    monkeypatch.setattr(script, "campaign", lambda *_: collections.Counter(equal=3, DIFFERENT=1))
    assert script.main(["--runs", "4"]) == 1 and "    1  DIFFERENT" in capsys.readouterr().out
