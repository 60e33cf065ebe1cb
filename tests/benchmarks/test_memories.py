from __future__ import annotations

import json

import pytest

TINY = ["--images", "300", "--dim", "32", "--batch", "16", "--clusters", "20", "--steps", "3"]


@pytest.mark.parametrize("memory", ["exemplar", "hybrid"])
@pytest.mark.slow
def test_runs_and_finds_the_answers_equal(load, capsys, tmp_path, memory):
    assert load("memories").main(["--memory", memory, *TINY, "--json", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    assert "ratio" in printed and "largest difference" in printed
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["agree"] and figures["ratio"] > 0 and "300 x 32" in figures["title"]


@pytest.mark.slow
def test_without_the_reference(load, capsys, tmp_path):
    assert load("memories").main([*TINY, "--skip-reference", "--json", str(tmp_path / "figures.json")]) == 0
    assert "ratio" not in capsys.readouterr().out and "reference" not in json.loads(
        (tmp_path / "figures.json").read_text()
    )
