"""A signal to one process stops all of them at one step; nothing is lost, and handlers are given back."""

from __future__ import annotations

import signal

import pytest
import torch

from reidzoo.engine import stop_signal as module
from reidzoo.engine.stop_signal import NUMBERS, StopSignal

from ..conftest import REPOSITORY, assert_equal_runs

PLUGIN = '''
import os, signal
from pathlib import Path
from reidzoo.distributed import rank
from reidzoo.hooks import Hook
from reidzoo.registry import HOOK

@HOOK.register_module()
class SignalOnceHook(Hook):
    """Sends its own process a signal, once and in rank 1 alone, in the event ``event`` of the step ``at``."""
    def __init__(self, event, at, marks):
        self.at, self.marks = at, Path(marks)
        setattr(self, event, self.fire)
    def fire(self, runner, **_):
        mark = self.marks / runner.output_dir.name
        if rank() == 1 and runner.iter == self.at and self.marks.exists() and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGTERM)
'''


@pytest.fixture
def stop():
    """A ``StopSignal``; SIGINT is what it is in the foreground, whereas a shell lets its background ignore it."""
    found, before = StopSignal(), signal.signal(signal.SIGINT, signal.default_int_handler)
    yield found
    assert [signal.getsignal(number) for number in NUMBERS].count(found._hear) == 0
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_signal_asks_once(stop, number):
    with stop.listening():
        assert not stop.agreed()
        signal.raise_signal(number)
        signal.raise_signal(number)  # from a launcher that passes on what a terminal sends to all: one request
        assert stop.agreed()
    with stop.listening():
        assert not stop.agreed() and stop.agreed(asked=True)


def test_a_later_signal_does_what_it_did_before(stop, monkeypatch):
    """A second Ctrl-C interrupts, in a notebook too, where another end would take the kernel with it."""
    before = [signal.getsignal(number) for number in NUMBERS]
    monkeypatch.setattr(module, "ONE_REQUEST", 0.0)
    with pytest.raises(KeyboardInterrupt), stop.listening():
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_a_signal_that_is_ignored_stays_so(stop):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop.listening():
        signal.raise_signal(signal.SIGINT)
        assert not stop.asked
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


# --- two processes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def train_in_two(run_processes):
    """Return a function that trains in two processes and returns their exit codes and what they have printed."""

    def train(*words):
        ran = run_processes(2, REPOSITORY / "tools" / "train_net.py", *words)
        return [process.returncode for process in ran], "\n".join(process.stderr for process in ran)

    return train


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_pauses_both_at_one_step(write_config, train_in_two, tmp_path):
    (tmp_path / "signal_once.py").write_text(PLUGIN)
    hooks = [
        {"signal": {"type": "SignalOnceHook", "event": event, "at": at, "marks": str(tmp_path / "marks")}}
        for event, at in (("after_train_iter", 5), ("after_train", 8))  # within a stage, and when it has ended
    ]
    stages = {"one": {"HOOKS": hooks[0]}, "two": {"HOOKS": hooks[1]}, "three": {}}
    config = write_config(PLUGINS=["signal_once"], STAGES=stages, LOG={"PERIOD": 1})
    whole, paused = tmp_path / "whole", tmp_path / "paused"
    assert train_in_two("--config-file", config, "--output-dir", whole)[0] == [0, 0]
    (tmp_path / "marks").mkdir()
    codes, text = train_in_two("--config-file", config, "--output-dir", paused)
    assert codes == [75, 75] and text.count("error: stopped in stage one; go on with") == 2, text
    assert torch.load(paused / "one/last.pth", weights_only=True)["iter"] == 5
    codes, text = train_in_two("--config-file", config, "--output-dir", paused, "--resume")
    assert codes == [75, 75] and text.count("error: stopped before stage three") == 2, text
    assert not (paused / "three").exists()
    assert train_in_two("--config-file", config, "--output-dir", paused, "--resume")[0] == [0, 0]
    for stage in stages:
        assert_equal_runs(paused / stage, whole / stage)
