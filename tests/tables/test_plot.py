from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reidzoo.tables.plot import cmc_plot, draw_cmc, draw_sweep, sweep_plot

RECORDED = sorted((Path(__file__).parents[2] / "projects").glob("*/results/*-*.svg"))


@pytest.fixture
def results():
    def row(name, mean, paper):
        metric = {"mean": mean, "interval": None if mean is None else [mean - 1, mean + 1]}
        return {"name": name, "variants": {"": {"paper": paper, "metrics": {"mAP": metric, "rank-1": metric}}}}

    return {
        "title": "T", "metrics": ["mAP", "rank-1"], "variants": [""],
        "rows": [row("other", 1.0, {}), row("b=1", 40.0, {"mAP": 41.0}), row("b=2", None, {"mAP": 43.0})],
        "sweeps": {"b": {"label": "beta", "rows": {"1": "b=1", "2": "b=2"}}},
    }  # fmt: skip


def points(axes, label):
    return [line.get_xydata().tolist() for line in axes.lines if line.get_label() == label]


def test_a_sweep_has_our_curve_with_intervals_and_the_papers(results):
    figure = Figure()
    draw_sweep(figure, results, "b")
    left, right = figure.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("mAP, %", "rank-1, %")
    assert points(left, "ours") == points(right, "ours") == [[[0, 40]]]
    assert points(left, "paper, on real data") == [[[0, 41], [1, 43]]] and not points(right, "paper, on real data")
    assert [[0, 39], [0, 41]] in [line.get_xydata().tolist() for line in left.lines]
    assert [text.get_text() for text in left.get_xticklabels()] == ["1", "2"]


def test_a_sweep_is_described(results, read_svg):
    title, description, words = read_svg(sweep_plot(results, "b"))
    assert title == "T" and words == {"beta", "mAP, %", "rank-1, %", "ours", "paper, on real data"}
    assert description.splitlines() == [
        "beta = 1: ours, mAP 40.0 % [39.0, 41.0]; paper 41.0 %",
        "beta = 1: ours, rank-1 40.0 % [39.0, 41.0]",
        "beta = 2: ours, mAP not run; paper 43.0 %",
        "beta = 2: ours, rank-1 not run",
    ]


def test_variants_stand_next_to_one_another(results):
    results["variants"] = ["x", "y"]
    for row in results["rows"]:
        row["variants"] = dict.fromkeys("xy", row["variants"][""])
    figure = Figure()
    draw_sweep(figure, results, "b")
    (x,), (y,) = (points(figure.axes[0], name) for name in "xy")
    assert x[0][0] < 0 < y[0][0] and x[0][1] == y[0][1] == 40
    assert points(figure.axes[0], "x, paper, on real data") and points(figure.axes[0], "y, paper, on real data")


def test_a_sweep_without_a_figure_yet_is_drawn(read_svg):
    metric = {"mean": None, "interval": None}
    row = {"name": "b=1", "variants": {name: {"paper": {}, "metrics": {"mAP": metric}} for name in ("x", "y")}}
    results = {
        "title": "T", "metrics": ["mAP"], "variants": ["x", "y"], "rows": [row],
        "sweeps": {"b": {"label": "beta", "rows": {"1": "b=1"}}},
    }  # fmt: skip
    assert "beta" in read_svg(sweep_plot(results, "b"))[2]


@pytest.mark.parametrize("picture", RECORDED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_recorded_picture_is_what_its_results_give(picture, read_svg):
    table, _, name = picture.stem.rpartition("-")
    results = json.loads(picture.with_name(f"{table}.json").read_text())
    drawn = cmc_plot(results) if name == "cmc" else sweep_plot(results, name)
    assert read_svg(picture.read_text()) == read_svg(drawn)


def test_there_are_recorded_pictures():
    assert len(RECORDED) >= 6


@pytest.fixture
def ranked():
    """Two rows of one data set, one of another, and a gap."""

    def row(label, tested_on, means, paper=()):
        metrics = {f"rank-{k}": {"mean": mean} for k, mean in zip((1, 5, 10), means)}
        cell = {"paper": {f"rank-{k}": value for k, value in paper}, "metrics": metrics}
        return {"label": label, "tested_on": tested_on, "variants": {"": cell}}

    nothing = (None, None, None)
    rows = [row("one", "A twin", (10.0, 50.0, 70.0), [(1, 60.0), (5, 80.0)]), row("two", "A twin", (20.0, 40.0, None))]
    rows += [row("three", "B twin", (5.0, 6.0, 7.0)), row("gap", "", nothing, [(1, 9.0)])]
    return {"title": "T", "metrics": ["rank-10", "rank-1", "mAP", "rank-5"], "variants": [""], "rows": rows}


def test_cmc_curves_have_a_panel_for_each_data_set(ranked):
    figure = Figure()
    draw_cmc(figure, ranked)
    assert [axes.get_title() for axes in figure.axes] == ["A twin", "B twin"]
    left = figure.axes[0]
    assert points(left, "one") == [[[1, 10], [5, 50], [10, 70]]] and points(left, "two") == [[[1, 20], [5, 40]]]
    dashed = [line.get_xydata().tolist() for line in left.lines if line.get_linestyle() == "--"]
    assert dashed == [[[1, 60], [5, 80]]]


def test_of_more_curves_than_colours_those_of_the_paper_are_drawn(ranked):
    one, two, *others = ranked["rows"]
    ranked["rows"] = [*others, *[{**two, "label": f"row {number}"} for number in range(7)], one]
    figure = Figure()
    draw_cmc(figure, ranked)
    assert [[line.get_label() for line in axes.lines if line.get_linestyle() == "-"] for axes in figure.axes] == [
        ["three"],
        ["one"],
    ]
    one["variants"][""]["paper"] = {}
    draw_cmc(figure := Figure(), ranked)
    assert len(figure.axes[1].lines) == 7


def test_cmc_curves_are_described(ranked, read_svg):
    title, description, _ = read_svg(cmc_plot(ranked))
    assert title == "T: CMC"
    assert description.splitlines() == [
        "A twin: one: rank-1 10.0 %, rank-5 50.0 %, rank-10 70.0 %; paper rank-1 60.0 %, rank-5 80.0 %",
        "A twin: two: rank-1 20.0 %, rank-5 40.0 %",
        "B twin: three: rank-1 5.0 %, rank-5 6.0 %, rank-10 7.0 %",
    ]
