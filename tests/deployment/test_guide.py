"""The guide to one's own tracker, followed from beginning to end on a small rendered video."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import reidzoo

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
GUIDE = REPOSITORY / "docs" / "tracker.md"
SMALLER = {
    "render": "--frames 60 --scale 0.5 --jobs 1",
    "train": "SOLVER.MAX_EPOCHS 3 SOLVER.IMS_PER_BATCH 16 DEVICE cpu",
    "calibrate": "--far 0.2",
}
"""What is added to the guide's commands, so that the test takes a minute."""


def follow(workspace):
    """Run the guide's commands, one after the other, and return what each one printed."""
    text = GUIDE.read_text()
    for name, code in re.findall(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (workspace / name).write_text(code)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    said = {}
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[:1] != ["reidzoo"]:
            continue
        words += shlex.split(SMALLER.get(words[1], ""))
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        options = {"cwd": workspace, "env": env, "capture_output": True, "text": True, "timeout": 600}
        done = subprocess.run([sys.executable, "-m", *words], check=False, **options)
        assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"
        said[command] = done.stdout
    return said


@pytest.mark.usefixtures("export_extra")
def test_the_guide(tmp_path, run_with):
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    said = follow(tmp_path)
    assert len(said) >= 9
    checked = said["reidzoo check my_data/crops --html crops.html"]
    assert "Must be fixed" not in checked and (tmp_path / "crops.html").stat().st_size > 10_000
    assert (tmp_path / "my_data" / "crops" / "val" / "query").is_dir()
    card = (tmp_path / "models" / "mine.md").read_text()
    assert "crops" in card and "## Limits" in card and "(" in re.search(r"\| crops \| (.*?) \|", card)[1]
    report = yaml.safe_load((tmp_path / "exported" / "mine.report.yml").read_text())
    assert report["ranks_as_the_model"] and report["parity"]["largest_difference"] <= 1e-4
    assert reidzoo.load(tmp_path / "shared" / "mine" / "mine.safetensors").size == (128, 64)

    printed = run_with("norfair", (tmp_path / "track.py").read_text(), tmp_path)
    assert re.search(r"\d+ tracks", printed)
    rows = [line.split(",") for line in (tmp_path / "tracks.txt").read_text().splitlines()]
    assert len(rows) > 50 and all(len(row) == 10 for row in rows)
