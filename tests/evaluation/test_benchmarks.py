from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ranking", []),
        ("ranking", ["--metric", "euclidean", "--reference-queries", "50", "--roc"]),
        ("rerank", ["--queries", "60", "--gallery", "300"]),
    ],
)
def test_runs_and_agrees(monkeypatch, capsys, name, arguments):
    monkeypatch.syspath_prepend(str(FOLDER))
    for other in ("ranking", "rerank"):
        monkeypatch.delitem(sys.modules, other, raising=False)
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "ratio" in printed and "largest difference" in printed
