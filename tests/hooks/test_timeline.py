from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from reidzoo.hooks import draw_timeline, timeline_plot

THRESHOLDS = {"goal_identity": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.8}


def point(n, phase):
    return {
        "iter": 10 * n,
        "epoch": n,
        "number": n // 4 + 1,
        "phase": phase,
        "measured": {"identity": 0.6 - n / 100, "nuisance": 0.9},
    }


def record():
    phases = ["", "penalty", "nuisance", "head", "model", "nuisance", "head"]
    switches = [{"iter": at, "thresholds": THRESHOLDS} for at in (0, 30, 60)]
    return {"timeline": [point(n, phase) for n, phase in enumerate(phases)], "switches": switches}


def test_a_band_for_each_turn_and_lines_of_measures_and_thresholds():
    figure = Figure()
    draw_timeline(figure, record())
    (axes,) = figure.axes
    assert [band.get_label() for band in axes.patches] == [
        f"phase: {name}" for name in ("penalty", "nuisance", "head", "model", "nuisance", "head")
    ], "a measure may have a phase's name"
    ends = [band.get_path().get_extents(band.get_patch_transform()) for band in axes.patches]
    assert [(end.x0, end.x1) for end in ends] == [(n, n + 1) for n in range(6)]
    styles = [(band.get_facecolor(), band.get_hatch()) for band in axes.patches]
    assert len(set(styles)) == 4
    lines = {line.get_label(): line for line in axes.lines}
    assert [name for name, line in lines.items() if line.get_linestyle() == "--"] == [
        "goal, identity", "trigger, identity", "trigger, nuisance",
    ]  # fmt: skip
    assert list(lines["identity"].get_xdata()) == [*range(7)]
    assert lines["identity"].get_ydata()[4] == pytest.approx(0.56) and set(lines["nuisance"].get_ydata()) == {0.9}
    assert set(lines["trigger, identity"].get_ydata()) == {0.59}
    assert list(lines["trigger, identity"].get_xdata()) == [0, 3, 3, 6, 6, 6]


def test_it_is_described(read_svg):
    _, description, words = read_svg(timeline_plot(record()))
    assert "step 40, action 2, after model: identity 0.560, nuisance 0.900" in description.splitlines()
    assert description.startswith("step 0, action 1, after the start: ")
    assert description.endswith("action 3: goal_identity 0.600, trigger_identity 0.590, trigger_nuisance 0.800")
    assert {"phase: nuisance", "nuisance", "trigger, nuisance", "identity"} <= words


def test_a_run_that_has_just_begun_and_a_rule_without_thresholds(read_svg):
    svg = timeline_plot({"timeline": [point(0, "")], "switches": [{"iter": 0, "thresholds": {}}]})
    assert read_svg(svg)[2] >= {"identity", "nuisance"}
