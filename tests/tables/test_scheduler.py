from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections import Counter

import pytest

from reidzoo.tables import Scheduler, scheduler
from reidzoo.tables.launchers import LocalLauncher
from reidzoo.tables.progress import Progress
from reidzoo.tables.scheduler import shared_environment

INTERRUPTED = """
import signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def stop(*_):
    (folder / "last.pth").write_text("saved")
    sys.exit(2)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, signal.SIG_IGN)
(folder / "started").write_text("")
time.sleep(60)
"""
MEETING = """
import os, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "threads").write_text(os.environ["OMP_NUM_THREADS"])
deadline = time.monotonic() + 60
while len(list(folder.parent.glob("*/threads"))) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
(folder / "results.json").write_text("{}")
(folder / "model_final.pth").write_text("")
"""


def quiet():
    return Progress(io.StringIO())


def ran(tmp_path):
    """Return how often each stage was started."""
    return Counter((tmp_path / "out" / "stages" / "ran.txt").read_text().split())


@pytest.mark.slow
def test_each_unit_runs_once_after_what_it_needs(plan, stub, tmp_path):
    made = plan()
    scheduler = Scheduler(made.units, 2, stub, quiet())
    assert scheduler.run() == {}
    names = (tmp_path / "out" / "stages" / "ran.txt").read_text().split()
    assert sorted(names) == sorted(unit.name for unit in made.units.values())
    for unit in made.units.values():
        assert unit.done and (unit.folder / "config.yml").exists()
        assert all(names.index(made.units[need].name) < names.index(unit.name) for need in unit.needs)
    last = made.units[made.results["", "last", 0]]
    noted = json.loads((last.folder / "unit.json").read_text())
    assert (noted["stage"], noted["seed"], noted["key"]) == ("third", 0, last.key)
    assert noted["needs"] == [made.units[last.needs[0]].name] and noted["seconds"] >= 0  # rounded

    assert Scheduler(made.units, 2, stub, quiet()).run() == {}
    assert max(ran(tmp_path).values()) == 1


@pytest.mark.slow
def test_only_what_is_not_done_runs(plan, stub, tmp_path):
    made = plan(seeds=(0,))
    Scheduler(made.needed([""], ["two"]), 1, stub, quiet()).run()
    Scheduler(made.units, 1, stub, quiet()).run()
    assert max(ran(tmp_path).values()) == 1 and len(ran(tmp_path)) == 4


@pytest.mark.slow
def test_a_failure_takes_along_what_needs_it_and_nothing_else(plan, stub, tmp_path):
    made = plan(seeds=(0,))
    broken = tmp_path / "out" / "stages" / "broken" / "second"
    broken.mkdir(parents=True)
    said = io.StringIO()
    failed = Scheduler(made.units, 1, stub, Progress(said)).run()
    second, last = made.units[made.results["", "two", 0]], made.units[made.results["", "last", 0]]
    assert set(failed) == {second.key, last.key, made.results["", "other", 0]}
    assert "out of luck" in failed[second.key] and str(second.folder / "output.txt") in failed[second.key]
    assert failed[last.key] == f"needs {second.name}"
    assert made.units[made.results["", "one", 0]].done and last.name not in ran(tmp_path)
    assert "FAILED: error: out of luck" in said.getvalue()

    broken.rmdir()
    assert Scheduler(made.units, 1, stub, quiet()).run() == {}


def test_a_process_that_leaves_no_results_has_failed(plan):
    made = plan(seeds=(0,))
    (failed, *_) = Scheduler(made.units, 1, lambda unit: [sys.executable, "-S", "-c", ""], quiet()).run().values()
    assert "no message" in failed and "exit code 0" in failed


class ThrownOut:
    """A job that its cluster ends before it has written anything."""

    returncode = 1

    def poll(self):
        return self.returncode


class Queue(LocalLauncher):
    """Throws out the runs of one stage."""

    def start(self, command, log, name):
        return ThrownOut() if name.startswith("second-") else super().start(command, log, name)


def test_a_job_that_never_began_does_not_end_the_others(plan, stub):
    made = plan(seeds=(0,))
    failed = Scheduler(made.units, 1, stub, quiet(), launcher=Queue(os.environ)).run()
    second, first = (made.units[made.results["", row, 0]] for row in ("two", "one"))
    assert failed[second.key] == f"no message (exit code 1; log: {second.folder / 'output.txt'})"
    assert first.done and made.results["", "one", 0] not in failed


class Turn:
    """A job that takes two looks, then leaves what a finished run does and ends with ``code``."""

    def __init__(self, unit, running, code=0):
        self.unit, self.running, self.code, self.returncode, self.killed = unit, running, code, None, False
        running.append(self)

    def poll(self):
        if self.returncode is None and self.running.count(self) == 2:
            (self.unit.folder / "results.json").write_text("{}")
            (self.unit.folder / "model_final.pth").write_text("")
            (self.unit.folder / "output.txt").write_text("the last line\n")
            self.returncode = self.code
            self.running[:] = [job for job in self.running if job is not self]
        elif self.returncode is None:
            self.running.append(self)
        return self.returncode


class Turns:
    """Starts turns, and remembers how many ran at once at most."""

    def __init__(self, units, code=0):
        self.units, self.code, self.running, self.most = {unit.name: unit for unit in units.values()}, code, [], 0

    def start(self, command, log, name):
        job = Turn(self.units[name], self.running, self.code)
        self.most = max(self.most, len(set(self.running)))
        return job


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_run_at_once_as_asked_for(plan, jobs):
    made = plan(seeds=range(4))
    turns = Turns(made.units)
    assert Scheduler(made.units, jobs, lambda unit: [], quiet(), launcher=turns).run() == {}
    assert turns.most == jobs and all(unit.done for unit in made.units.values())


def test_a_run_that_ends_with_an_error_has_failed_whatever_it_left(plan):
    made = plan(seeds=(0,))
    units = made.needed([""], ["one"])
    (failed,) = Scheduler(units, 1, lambda unit: [], quiet(), launcher=Turns(units, code=3)).run().values()
    assert failed.startswith("the last line (exit code 3;")


class Stubborn:
    """A job that does not heed being asked to stop."""

    returncode, killed = None, False

    def poll(self):
        return None

    def terminate(self):
        pass

    def kill(self):
        self.killed = True

    def wait(self):
        if not self.killed:
            raise KeyboardInterrupt


def test_a_second_interrupt_ends_the_runs_at_once(plan):
    made, jobs = plan(seeds=(0, 1)), []

    class Stubborns:
        def start(self, command, log, name):
            jobs.append(Stubborn())
            return jobs[-1]

    class Impatient(Progress):
        def show(self, running):
            raise KeyboardInterrupt

    runner = Scheduler(made.units, 2, lambda unit: [], Impatient(io.StringIO()), launcher=Stubborns())
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert [job.killed for job in jobs] == [True, True] and not runner.running


def test_what_needs_a_failed_unit_besides_another_fails_too(plan):
    made = plan(seeds=(0,))
    one, two = (made.units[made.results["", row, 0]] for row in ("one", "two"))
    last = dataclasses.replace(made.units[made.results["", "last", 0]], needs=(one.key, two.key))
    units = {unit.key: unit for unit in (one, two, last)}
    jobs = Scheduler(units, 1, lambda unit: [], quiet(), launcher=Turns(units))
    jobs.failed[two.key] = "it broke"
    jobs.waiting.pop(two.key)
    assert jobs.run() == {two.key: "it broke", last.key: f"needs {two.name}"} and one.done


@pytest.mark.parametrize(("jobs", "threads"), [(1, "8"), (3, "2"), (16, "1")])
def test_processes_share_the_cores(monkeypatch, jobs, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(scheduler, "available_cores", lambda: 8)
    assert shared_environment(jobs)["OMP_NUM_THREADS"] == threads


class Interrupting(Progress):
    """Presses Ctrl-C once a run has started."""

    def show(self, running):
        if any((unit.folder / "started").exists() for unit, _ in running):
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupt_lets_the_runs_save_and_the_next_run_goes_on(plan, stub, tmp_path):
    made = plan(seeds=(0,))
    said = io.StringIO()
    scheduler = Scheduler(
        made.units, 1, lambda unit: [sys.executable, "-S", "-c", INTERRUPTED, str(unit.folder)], Interrupting(said)
    )
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
    first = made.units[made.results["", "one", 0]]
    assert (first.folder / "last.pth").read_text() == "saved"
    assert "save and end" in said.getvalue() and not scheduler.running
    spent = first.seconds
    assert spent > 0
    assert Scheduler(made.units, 1, stub, quiet()).run() == {}
    assert first.seconds > spent


def test_jobs_run_side_by_side_and_share_the_cores(plan, table, monkeypatch, tmp_path):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    made = plan(table("METRICS: [mAP]\nTARGET: X\nROWS: {a: {CONFIG: stages.yml, STAGE: first}}"))
    scheduler = Scheduler(made.units, 2, lambda unit: [sys.executable, "-S", "-c", MEETING, str(unit.folder)], quiet())
    assert scheduler.run() == {}
    assert {path.read_text() for path in (tmp_path / "out").rglob("threads")} == {
        shared_environment(2)["OMP_NUM_THREADS"]
    }
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert shared_environment(2)["OMP_NUM_THREADS"] == "7"
