from __future__ import annotations

from matplotlib.figure import Figure

from reidzoo.visualization import draw_training_curves, held

STAGES = [(0, 2, "first"), (2, 6, "turns")]
PHASES = [(2, 3, "head"), (3, 4, "body"), (4, 5, "head"), (5, 6, "head")]


def test_rates_are_steps_and_have_gaps_where_another_phase_trains():
    points = [(1, 0.1), (2, 0.1), (2.5, 0.1), (3, 0.01), (4.5, 0.1), (6, 0.01)]
    assert held(points, STAGES, PHASES) == [
        [(2, 0.1), (2.5, 0.1), (2.5, 0.01), (3, 0.01)],
        [(4, 0.1), (4.5, 0.1), (4.5, 0.01), (6, 0.01)],
        [(0, 0.1), (1, 0.1), (1, 0.1), (2, 0.1)],
    ]
    assert held([(1, 0.1), (3, 0.2)], (), ()) == [[(0.0, 0.1), (1, 0.1), (1, 0.2), (3, 0.2)]]


def test_a_phase_has_one_tint_in_all_panels():
    figure = Figure()
    draw_training_curves(figure, {"a": [(3, 1.0)], "b": [(4, 1.0)]}, STAGES, PHASES, held)
    tints = {(patch.get_label(), patch.get_facecolor()) for axes in figure.axes for patch in axes.patches}
    assert len(tints) == 2
