"""The sections of the GPU suite, at their smallest sizes on a CPU; rates and waits are another machine's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"


@pytest.mark.slow
def test_the_sections_run_on_a_cpu_and_make_a_page(tmp_path):
    out = tmp_path / "gpu.json"
    sections = "env,parity,waits,loader,rank,cluster"
    words = [sys.executable, FOLDER, "--device", "cpu", "--tiny", "--only", sections, "--out", out]
    subprocess.run(words, check=True, timeout=600)
    found = json.loads(out.read_text())
    assert set(found) == {*sections.split(","), "seconds"}
    assert all(case["ok"] for case in found["parity"].values()) and len(found["parity"]) >= 48
    page = subprocess.run(
        [sys.executable, FOLDER / "report.py", out], check=True, capture_output=True, text=True
    ).stdout
    assert "| TripletLoss" not in page and "grad TripletLoss soft" in page and "## cluster" in page


@pytest.mark.slow
def test_an_unknown_section_is_named():
    words = [sys.executable, FOLDER, "--device", "cpu", "--only", "parrity"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "'parrity'" in done.stderr and "Traceback" not in done.stderr
