"""The sections of the GPU suite, at their smallest sizes on a CPU; rates and waits are another machine's."""

from __future__ import annotations

import json
import runpy
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
    assert "## What was aimed at" in page and "Not measured by the newest run: variants, train" in page
    assert "| TripletLoss" not in page and "grad TripletLoss soft" in page and "## cluster" in page


@pytest.mark.slow
def test_an_unknown_section_is_named():
    words = [sys.executable, FOLDER, "--device", "cpu", "--only", "parrity"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "'parrity'" in done.stderr and "Traceback" not in done.stderr
    page = runpy.run_path(str(FOLDER / "report.py"))  # which looks for these in what a run found
    assert f"the sections are {', '.join(page['SECTIONS'])}" in " ".join(done.stderr.split())


def test_the_page_says_what_is_reached_missed_and_not_measured(tmp_path):
    train = {"bare bf16": {"img_s": 100.0}, "ours bf16": {"img_s": 90.0}, "ours bf16, graph": {"img_s": 200.0}}
    results = {"train": train, "profile": {"()": {"busy": 0.96}, "graph": {"busy": 0.9}}, "resume": "left out"}
    (tmp_path / "gpu.json").write_text(json.dumps(results))
    words = [sys.executable, FOLDER / "report.py", tmp_path / "gpu.json"]
    page = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rows = {cells[1].strip(): [cell.strip() for cell in cells[2:5]] for line in page.splitlines()
            if len(cells := line.split("|")) == 6}  # fmt: skip
    assert rows["as fast as a bare loop, eager"] == ["0.97", "0.90", "MISSED"]
    assert rows["the same with `SOLVER.COMPILE graph`, beside an eager bare loop"] == ["0.97", "2.00", "reached"]
    assert rows["times fastreid's design, eager"] == ["2", "not measured", ""]
    assert rows["share of a step in which the GPU is busy"] == ["0.95", "0.90", "MISSED"]
