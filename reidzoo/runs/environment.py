"""Records the environment that a run's figures depend on: the command, the code, the libraries, the threads."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import numpy
import torch

from reidzoo import distributed
from reidzoo.files import write_text
from reidzoo.transforms import PIXELS_VERSION
from reidzoo.version import ROOT, __version__

__all__ = ["command_line", "environment", "environment_changes", "note_environment", "own_commit"]

_RECORDS = ("results.yml", "index.yml")
"""Names of files that record results; no run depends on them."""
_MATTERS = ("processes", "threads", "device", "torch", "numpy", "reidzoo", "commit")
"""What a resumed run may differ in, by some last bits at least, when it has changed."""


def environment() -> dict[str, str]:
    """Return the command, the code, the libraries, and the number of processes and threads."""
    commit = _commit()
    return {
        "command": " ".join(_words()),
        "reidzoo": __version__,
        "commit": commit or "unknown",
        "uncommitted": ", ".join(_uncommitted()) or "none" if commit else "unknown",
        "pixels": str(PIXELS_VERSION),  # how images are decoded and resized
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "processes": str(distributed.world_size()),
        "threads": str(torch.get_num_threads()),  # sums on a CPU depend on it, in their last bits
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
    }


def command_line(run: Mapping[str, str]) -> str:
    """Return the command of an ``environment``, preceded by the number of threads if that is recorded."""
    threads = f"OMP_NUM_THREADS={run['threads']} " if "threads" in run else ""
    return threads + run["command"]


def environment_changes(path: Path) -> list[str]:
    """Return what is not as it was when the run in ``path``, its ``environment.json``, last went on."""
    before, now = _read(path), environment()
    return [
        f"{key}: {before[key]} before, {now[key]} now"
        for key in _MATTERS
        if key in before and key in now and before[key] != now[key]
    ]


def note_environment(path: Path, started: bool) -> None:
    """Record the environment of a run that starts or resumes.

    The file has the present values and, as ``parts``, those of each part of the run with the time when it began.
    Uncommitted files of earlier parts stay listed.
    """
    current, before = environment(), _read(path) if started else {"uncommitted": "none", "parts": []}
    earlier, noted = before.get("parts", [before]), before.get("uncommitted", "unknown")
    files = dict.fromkeys(f"{noted}, {current['uncommitted']}".split(", "))
    files.pop("none", None)
    part = {"began": datetime.now(timezone.utc).isoformat(timespec="seconds"), **current}
    record = {**current, "uncommitted": ", ".join(files) or "none", "parts": [*earlier, part]}
    write_text(path, json.dumps(record, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """Return what is recorded; {} where nothing is, or nothing that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def own_commit() -> str:
    """Return the commit of the folder that one is in, "" if that is no git checkout, or reidzoo's own."""
    commit = _git("rev-parse", "HEAD", folder=Path.cwd())
    return "" if commit == _commit() else commit


def _words() -> list[str]:
    """Return the command line's words; ``python -m reidzoo`` is noted as the console script, ``--a=b`` as ``--a b``."""
    program = "reidzoo" if Path(sys.argv[0]).name == "__main__.py" else sys.argv[0]
    parts = (word.split("=", 1) if word.startswith("--") else [word] for word in sys.argv[1:])
    return [program, *chain.from_iterable(parts)]


def _git(*words: str, folder: Path = ROOT) -> str:
    """Return what git says; "" where it fails, or is not installed."""
    try:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False).stdout.rstrip()
    except OSError:
        return ""


def _commit() -> str:
    """Return the commit of this code; "" where git does not hold it, though somebody's checkout may lie around it."""
    return _git("rev-parse", "HEAD") if _git("ls-files", "reidzoo/version.py") else ""


def _uncommitted() -> list[str]:
    """Return the files of code and configuration that differ from the commit; records of results are neither."""
    folders = ("reidzoo", "projects", "configs", "tools")
    lines = _git("status", "--porcelain", "--untracked-files=all", "--", *folders).splitlines()
    files = [line[3:].rpartition(" -> ")[2].strip('"') for line in lines]
    return [file for file in files if file.endswith((".py", ".yml")) and Path(file).name not in _RECORDS]
