from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from reidzoo.tables.plot import Panel, Point, _ticks, draw_panels, sweep_plot

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (41.2, 47.9), (-3, 0.2), (5, 5), (0, 0), (1e-3, 2e-3)])
def test_ticks_enclose_what_is_drawn(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 7
    steps = {round(b - a, 9) for a, b in itertools.pairwise(ticks)}
    assert len(steps) == 1


def test_a_point_stands_where_its_value_is():
    curve = [Point(0, 10.0, 5.0, 15.0), Point(1, 20.0)]
    svg = ElementTree.fromstring(draw_panels("a & b", ["x", "y"], [Panel("mAP", {"ours": curve, "paper": []})]))
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter(f"{SVG}circle")]
    assert len(circles) == 2 and circles[0][0] < circles[1][0] and circles[0][1] > circles[1][1]
    bars = [line for line in svg.iter(f"{SVG}line") if line.get("x1") == line.get("x2")]
    middle = sum(float(bars[0].get(name)) for name in ("y1", "y2")) / 2
    assert len(bars) == 1 and middle == pytest.approx(circles[0][1], abs=0.1)
    assert "paper" not in texts(ElementTree.tostring(svg))


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
    assert "T: beta" in shown and {"1", "2", "mAP", "rank-1"} <= set(shown)
    assert (shown.count("ours"), shown.count("paper")) == (2, 1)
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}circle"))) == 4
