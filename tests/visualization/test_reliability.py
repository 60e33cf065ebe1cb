"""The reliability diagram says in words what it shows."""

from __future__ import annotations

import numpy as np

from reidzoo.visualization import reliability_plot


def test_every_curve_and_its_words(read_svg):
    points = np.array([0.1, 0.8]), np.array([0.15, 0.7]), np.array([0.4, 0.6])
    svg = reliability_plot({"here & now": points, "elsewhere": points}, "title")
    title, description, texts = read_svg(svg)
    assert title == "title" and {"here & now", "elsewhere", "calibrated"} <= texts
    assert "here & now: 0.10 predicted, 0.15 observed, 40 % of the pairs; 0.80 predicted" in description
