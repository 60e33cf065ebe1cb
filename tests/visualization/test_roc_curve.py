from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from reidzoo.visualization import draw_roc


@pytest.mark.parametrize("steepness", [0.05, 0.2, 0.5])
def test_the_curve_strikes_no_label_through(steepness):
    fpr = np.geomspace(1e-5, 1, 400)
    tpr = fpr**steepness
    figure = Figure(figsize=(4.8, 3.1))
    draw_roc(figure, fpr, tpr, {rate: rate**steepness for rate in (1e-4, 1e-3, 1e-2)})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    for label in axes.texts:
        box = label.get_window_extent().transformed(axes.transData.inverted())
        heights = 100 * (np.geomspace(box.x0, box.x1, 50) / 100) ** steepness
        assert not ((heights > box.y0) & (heights < box.y1)).any(), label
        assert box.x0 > axes.get_xlim()[0] and box.y0 > 0
