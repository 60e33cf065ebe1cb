"""A table's runs are processes here, jobs of SLURM, or tasks of Ray; the last two where their packages are."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time

import pytest

from reidzoo.errors import UserError
from reidzoo.tables.launchers import LAUNCHERS, build_launcher
from reidzoo.tables.launchers.build import read_options
from reidzoo.tables.launchers.run_command import run_command
from reidzoo.tables.lock import locked

SAVES = """
import signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def stop(*_):
    (folder / "saved").write_text("")
    sys.exit(2)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
(folder / "started").write_text("")
time.sleep(600)
"""


def launcher(name, folder):
    if name != "local" and importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")
    options = {"submitit": ["cluster=local", "timeout_min=5"], "ray": ["num_cpus=1"]}.get(name, [])
    return build_launcher(name, read_options(options), folder / "jobs", dict(os.environ))


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_run_writes_its_log_and_gives_its_exit_code(tmp_path, name):
    jobs = launcher(name, tmp_path)
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    codes = [0, 3] if name == "local" else [3]  # another's process imports torch first
    for code in codes:
        job = jobs.start(
            [sys.executable, "-c", f"print('ran {code}'); raise SystemExit({code})"], log, f"row/seed {code}"
        )
        assert job.wait() == code and job.poll() == code == job.returncode
    assert log.read_text().splitlines() == ["before", *(f"ran {code}" for code in codes)]


@pytest.fixture
def in_the_background():
    """SIGINT ignored, as a shell has it of what it starts with ``&``."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_run_that_is_asked_to_stop_saves_itself(in_the_background, tmp_path, name):
    job = launcher(name, tmp_path).start([sys.executable, "-c", SAVES, str(tmp_path)], tmp_path / "log.txt", "row")
    deadline = time.monotonic() + 240
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    job.terminate()
    assert job.wait() != 0
    while not (tmp_path / "saved").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "saved").exists()


def test_a_run_of_this_machine_holds_the_tables_lock(tmp_path):
    pytest.importorskip("fcntl")
    with locked(tmp_path) as inherited:
        jobs = build_launcher("local", {}, tmp_path / "jobs", dict(os.environ), inherited)
        job = jobs.start([sys.executable, "-S", "-c", "import time; time.sleep(60)"], tmp_path / "log.txt", "row")
    try:
        with pytest.raises(UserError, match="in use"), locked(tmp_path):
            pass
    finally:
        job.kill()
        job.wait()
    with locked(tmp_path):
        pass


def test_options_are_values_of_yaml():
    assert read_options(["gpus_per_node=1", "slurm_partition=gpu", "mem=null"]) == {
        "gpus_per_node": 1, "slurm_partition": "gpu", "mem": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("slurm", [], "launcher"),
        ("local", ["gpus=1"], "have none"),
        ("submitit", ["gpus"], "expected KEY=VALUE"),
        ("submitit", ["gpus=["], "--launcher-option: not valid YAML"),
        ("submitit", ["slurm_use_srun=no"], "slurm_use_srun=no: write true or false"),
    ],
)
def test_mistakes_are_named(tmp_path, name, options, message):
    with pytest.raises(UserError, match=message):
        build_launcher(name, read_options(options), tmp_path, {})


@pytest.mark.parametrize("name", ["submitit", "ray"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UserError, match=rf"pip install 'reidzoo\[{name}\]'"):
        build_launcher(name, {}, tmp_path, {})


def test_a_job_that_is_cancelled_while_its_command_starts_passes_the_signal_on(tmp_path, monkeypatch):
    start = subprocess.Popen

    def cancelled(*words, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", cancelled)
    before = signal.getsignal(signal.SIGTERM)
    code = run_command([sys.executable, "-c", "import time; time.sleep(60)"], str(tmp_path / "log.txt"), str(tmp_path))
    assert code == -signal.SIGTERM and signal.getsignal(signal.SIGTERM) == before
