from __future__ import annotations

from pathlib import Path
from runpy import run_path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_benchmark_runs_and_finds_the_answers_equal(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = run_path(str(BENCHMARKS / "clustering.py"))
    assert script["main"](["--images", "400", "--dim", "64"]) == 0
    printed = capsys.readouterr().out
    assert "ratio" in printed and "labels that differ: [0, 0, 0]" in printed
