"""The README's Python runs as it stands, on the rendered twin that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reidzoo import zoo

README = Path(__file__).parents[1] / "README.md"
SECTION = re.compile(r"^## Use a trained model\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)


def test_the_section_on_trained_models_runs(market_twin, monkeypatch, capsys):
    section = SECTION.search(README.read_text())
    assert section, "README.md has no section '## Use a trained model'"
    blocks = re.findall(r"```python\n(.*?)```", section[1], re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(market_twin.parent)
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    stated = zoo.entry("domainmix_mini").metrics["Market1501 twin"]
    assert said.count(".jpg") == 5
    assert float(re.search(r"mAP ([\d.]+), rank-1", said)[1]) == pytest.approx(stated["mAP"], abs=0.0015)
    assert float(re.search(r"one person twice: (\S+)", said)[1]) > float(re.search(r"two people: (\S+)", said)[1])
