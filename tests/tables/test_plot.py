from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from reidzoo.tables.plot import sweep_plot

RECORDED = sorted((Path(__file__).parents[2] / "projects").glob("*/results/*-*.svg"))

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_sweep_has_our_curve_and_the_papers():
    def row(name, mean, paper):
        metric = {"mean": mean, "interval": None if mean is None else [mean - 1, mean + 1]}
        return {"name": name, "variants": {"": {"paper": paper, "metrics": {"mAP": metric, "rank-1": metric}}}}

    results = {
        "title": "T", "metrics": ["mAP", "rank-1"], "variants": [""],
        "rows": [row("other", 1.0, {}), row("b=1", 40.0, {"mAP": 41.0}), row("b=2", None, {"mAP": 43.0})],
        "sweeps": {"b": {"label": "beta", "rows": {"1": "b=1", "2": "b=2"}}},
    }  # fmt: skip
    svg = sweep_plot(results, "b")
    shown = texts(svg)
    assert {"T", "beta", "1", "2", "mAP, %", "rank-1, %"} <= set(shown)
    assert (shown.count("ours"), shown.count("paper")) == (2, 1)
    tips = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert tips == ["ours: 40.0 %", "paper: 41.0 %", "paper: 43.0 %", "ours: 40.0 %"]


def test_a_sweep_without_a_figure_yet_is_drawn():
    metric = {"mean": None, "interval": None}
    row = {"name": "b=1", "variants": {name: {"paper": {}, "metrics": {"mAP": metric}} for name in ("x", "y")}}
    results = {
        "title": "T", "metrics": ["mAP"], "variants": ["x", "y"], "rows": [row],
        "sweeps": {"b": {"label": "beta", "rows": {"1": "b=1"}}},
    }  # fmt: skip
    assert "beta" in texts(sweep_plot(results, "b"))


@pytest.mark.parametrize("picture", RECORDED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_recorded_picture_is_what_its_results_give(picture):
    table, _, name = picture.stem.partition("-")
    results = json.loads(picture.with_name(f"{table}.json").read_text())
    assert sweep_plot(results, name) == picture.read_text()


def test_there_are_recorded_pictures():
    assert len(RECORDED) >= 6
