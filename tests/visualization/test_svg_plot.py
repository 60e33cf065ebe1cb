from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from reidzoo.visualization import SVGPlot
from reidzoo.visualization.svg_plot import side_by_side, ticks

NAME = "{http://www.w3.org/2000/svg}"


def draw():
    plot = SVGPlot("a < b & c", "steps", "%", (0, 10), (0, 100), (400, 300))
    plot.band(2, 5, "#ff0000", "penalty")
    plot.line([0, 10], [0, 100], "#0000ff", "identity", dashed=True)
    plot.point(10, 100, "#00ff00", "Duke", text="<run>", tip="10 & 100")
    plot.point(0, 0, "#00ff00", "Duke")
    return plot


def test_it_is_well_formed_and_shows_everything():
    tree = ET.fromstring(draw().render())
    texts = [node.text for node in tree.iter(f"{NAME}text")]
    for wanted in ("a < b & c", "steps", "%", "penalty", "identity", "Duke", "<run>", "100", "0"):
        assert wanted in texts
    assert texts.count("Duke") == 1  # once in the legend
    assert [node.text for node in tree.iter(f"{NAME}title")] == ["penalty", "10 & 100"]


def test_values_are_where_the_axes_say():
    plot = draw()
    tree = ET.fromstring(plot.render())
    circles = list(tree.iter(f"{NAME}circle"))[:2]
    (right, top), (left, bottom) = ((float(node.get("cx")), float(node.get("cy"))) for node in circles)
    points = next(tree.iter(f"{NAME}polyline")).get("points")
    assert re.findall(r"[\d.]+", points) == [f"{value:.1f}" for value in (left, bottom, right, top)]
    assert right > left and bottom > top
    band = next(node for node in tree.iter(f"{NAME}rect") if node.get("fill") == "#ff0000")
    assert float(band.get("x")) == pytest.approx(left + 0.2 * (right - left), abs=0.1)
    assert float(band.get("width")) == pytest.approx(0.3 * (right - left), abs=0.1)


def test_names_of_near_points_do_not_cover_one_another():
    plot = SVGPlot("", "", "", (0, 10), (0, 10), (400, 300))
    for x, y in ((5, 5), (5.6, 5.1), (5.2, 5.6), (9.9, 5)):
        plot.point(x, y, "#000000", text="a model", tip="a model")
    tree = ET.fromstring(plot.render())
    boxes = []
    for node in (node for node in tree.iter(f"{NAME}text") if node.text == "a model"):
        x, y, width = float(node.get("x")), float(node.get("y")), 6.6 * len("a model")
        left = x - {"start": 0, "middle": width / 2, "end": width}[node.get("text-anchor")]
        boxes.append((left, y - 9, left + width, y + 2))
    assert len(boxes) == 4 and all(box[0] >= 0 and box[2] <= 400 for box in boxes)
    for n, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:n]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_long_legends_take_several_rows():
    plot, short = draw(), draw().render()
    for number in range(9):
        plot.point(1, 1, "#000000", f"a rather long name {number}")
    height = [int(re.search(r'height="(\d+)"', text)[1]) for text in (short, plot.render())]
    assert height[1] > height[0]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0, 100, [0, 20, 40, 60, 80, 100]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (37, 61, [40, 45, 50, 55, 60])],
)
def test_ticks(low, high, wanted):
    assert ticks(low, high) == wanted


def test_an_empty_range_is_widened():
    assert "nan" not in SVGPlot("", "", "", (3, 3), (0, 1)).render()


def test_an_interval_is_drawn_around_its_point_and_named_values_at_0_1_2():
    plot = SVGPlot("", "gamma", "%", (-0.5, 1.5), (0, 100), (400, 300), ["0.5", "4.0"])
    plot.point(1, 50, "#000000", "ours", hollow=True)
    plot.interval(1, 30, 70, "#123456")
    tree = ET.fromstring(plot.render())
    circle = next(tree.iter(f"{NAME}circle"))
    bar = next(node for node in tree.iter(f"{NAME}path") if node.get("stroke") == "#123456")
    x, low, high = (float(value) for value in re.match(r"M([\d.]+) ([\d.]+)V([\d.]+)", bar.get("d")).groups())
    assert x == float(circle.get("cx")) and low > high
    assert (low + high) / 2 == pytest.approx(float(circle.get("cy")), abs=0.1)
    names = {node.text: float(node.get("x")) for node in tree.iter(f"{NAME}text")}
    assert names["4.0"] == x and names["0.5"] < x


def test_plots_side_by_side_do_not_overlap():
    tree = ET.fromstring(side_by_side("both & more", [draw(), draw()]))
    inner = tree.findall(f"{NAME}svg")
    assert [float(node.get("x")) for node in inner] == [0, 400] and float(tree.get("width")) == 800
    assert all(float(node.get("y")) + float(node.get("height")) <= float(tree.get("height")) for node in inner)
    assert tree.find(f"{NAME}text").text == "both & more"
