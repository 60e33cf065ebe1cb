"""What the log tells people."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from reidzoo.hooks import LogHook
from reidzoo.hooks.log import in_words


def resumed(path, size):
    """Return a hook that has gone on from a checkpoint at ``size`` bytes of the file at ``path``."""
    hook = LogHook()
    hook.size = size
    hook.before_train(SimpleNamespace(files=SimpleNamespace(metrics=path), iter=0))
    return hook


@pytest.mark.parametrize("size, warned", [(8, False), (17, True), (99, True)])
def test_a_file_that_a_power_failure_has_shortened_is_cut_to_whole_lines(tmp_path, caplog, size, warned):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a":1}\n{"a":2')
    assert resumed(path, size).size == 8
    assert path.read_text() == '{"a":1}\n'
    assert ("as after a power failure" in caplog.text) == warned


def test_what_a_checkpoint_counts_on_is_on_the_disk(tmp_path, monkeypatch):
    hook, synced = resumed(tmp_path / "metrics.jsonl", 0), []
    monkeypatch.setattr(os, "fsync", synced.append)
    hook.state_dict()
    assert len(synced) == 1


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (5000, "83 min"), (5400, "1 h 30 min"), (7500, "2 h 05 min")],
)
def test_durations_as_people_say_them(seconds, words):
    assert in_words(seconds) == words
