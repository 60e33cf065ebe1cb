from __future__ import annotations

import os
import subprocess
import sys

import matplotlib
import pytest

from reidzoo.visualization import svg_text

DRAW = """
import hashlib, sys
from reidzoo.visualization import svg_text
def draw(figure):
    axes = figure.subplots()
    axes.plot([0, 1], [2, 1], "o-", label="a")
    axes.axvspan(0, 1, hatch="///", label="b")
print("matplotlib" in sys.modules, end=" ")
print(hashlib.sha256(svg_text(draw, "title", "text").encode()).hexdigest(), "matplotlib.pyplot" in sys.modules)
"""


def draw(figure):
    axes = figure.subplots()
    axes.set(xlabel="steps & $x$", ylabel="%")
    axes.plot([0, 10], [0, 100], "o-", label="a < b")
    axes.plot([0, 10], [50, 50], label="a < b")


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_whatever_the_users_settings_are(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\naxes.facecolor: red\n")
    found = []
    for more in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "MATPLOTLIBRC": str(tmp_path)}):
        command = [sys.executable, "-c", DRAW]
        run = subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=True)
        found.append(run.stdout.split())
    assert found[0] == found[1]
    imported, digest, pyplot = found[0]
    assert (imported, pyplot) == ("False", "False") and len(digest) == 64


def test_what_it_says_is_text(read_svg):
    before = dict(matplotlib.rcParams)
    svg = svg_text(draw, "title <&>", "line & one\nline two")
    assert dict(matplotlib.rcParams) == before
    assert read_svg(svg) == ("title <&>", "line & one\nline two", {"steps & $x$", "%", "a < b"})
    assert svg.count(">a &lt; b<") == 1  # once in the legend
    assert 'width="480pt"' in svg and "<dc:date>" not in svg


@pytest.mark.parametrize("length", [3, 25, 60])
@pytest.mark.slow
def test_title_and_legend_stay_inside_and_off_the_axes(length):
    figures = []

    def draw(figure):
        figures.append(figure)
        axes = figure.subplots()
        for number in range(9):
            axes.plot([0, 1], [0, number], label=f"{number:0{length}d}")

    svg_text(draw, "a title longer than the figure is wide " * 4, "")
    (figure,) = figures
    title, legend = figure.get_suptitle(), figure.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= figure.bbox.x1 and legend.y1 <= figure.axes[0].get_window_extent().y0
    (heading,) = (text for text in figure.texts if text.get_text() == title)
    heading = heading.get_window_extent()
    assert heading.x0 >= 0 and heading.x1 <= figure.bbox.x1 and heading.y0 >= figure.axes[0].get_window_extent().y1


def test_axes_without_labels_have_an_empty_legend(read_svg):
    assert read_svg(svg_text(lambda figure: figure.subplots(), "empty", "")) == ("empty", "", set())
