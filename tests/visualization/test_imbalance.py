from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from reidzoo.visualization import draw_imbalance, imbalance, imbalance_plot

PIDS = [3, 3, 3, 3, 5, 5, 9, -1, -1]
CAMERAS = [0, 0, 1, 2, 4, 4, 0, 0, 1]
TIMES = [0, 1, 1, 2, 2, 2, 0, 0, 0]


def test_counts_by_hand():
    counted = imbalance(PIDS, CAMERAS, TIMES)
    assert {name: values.tolist() for name, values in counted.items()} == {
        "images": [4, 2, 1], "cameras": [3, 1, 1], "times of day": [3, 1, 1],
    }  # fmt: skip


def test_times_that_are_not_known_are_left_out():
    assert set(imbalance(PIDS, CAMERAS, [-1, *TIMES[1:]])) == {"images", "cameras"}


@pytest.mark.slow
def test_a_histogram_holds_every_identity_once():
    counted = {"images": np.array([1, 1, 2, 90]), "cameras": np.array([1, 2, 2, 3])}
    figure = Figure()
    draw_imbalance(figure, counted)
    for axes, values in zip(figure.axes, counted.values(), strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        assert sum(heights) == len(values) and len(heights) <= 40
    assert [bar.get_height() for bar in figure.axes[1].patches] == [1, 2, 1]


@pytest.mark.slow
def test_it_is_described(read_svg):
    _, description, words = read_svg(imbalance_plot(imbalance(PIDS, CAMERAS, TIMES), "MSMT17"))
    assert "images of an identity: 1 to 4, 2.3 on average" in description.splitlines()
    assert {"identities", "cameras of an identity", "times of day of an identity"} <= words


@pytest.mark.parametrize("pids", [[7], [0, 0, 0]])
def test_one_identity_is_one_bar(pids):
    figure = Figure()
    draw_imbalance(figure, imbalance(pids, [0] * len(pids), [-1] * len(pids)))
    tops = [max(axes.patches, key=lambda bar: bar.get_height()) for axes in figure.axes]
    assert [(round(bar.get_center()[0]), bar.get_height()) for bar in tops] == [(len(pids), 1), (1, 1)]
    assert all(sum(bar.get_height() for bar in axes.patches) == 1 for axes in figure.axes)
