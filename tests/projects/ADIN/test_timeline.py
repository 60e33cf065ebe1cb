from __future__ import annotations

import pytest
from matplotlib.figure import Figure

THRESHOLDS = {"goal": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.8}


def record():
    phases = ["", "penalty", "nuisance", "head", "model", "nuisance", "head"]
    timeline = [
        {"iter": 10 * n, "round": n // 4 + 1, "phase": phase, "identity": 0.6 - 0.01 * n, "nuisance": 0.9}
        for n, phase in enumerate(phases)
    ]
    return {"timeline": timeline, "switches": [{"iter": at, **THRESHOLDS} for at in (0, 30, 60)]}


def test_a_band_for_each_turn_and_lines_of_accuracies_and_thresholds(project):
    from adin.timeline import draw_timeline

    figure = Figure()
    draw_timeline(figure, record())
    (axes,) = figure.axes
    names = ["penalty", "nuisance classifier", "identity classifier", "identities (rescue)"]
    assert [band.get_label() for band in axes.patches] == [*names, *names[1:3]]
    ends = [band.get_path().get_extents(band.get_patch_transform()) for band in axes.patches]
    assert [(end.x0, end.x1) for end in ends] == [(10 * n, 10 * n + 10) for n in range(6)]
    lines = {line.get_label(): line for line in axes.lines}
    assert [name for name, line in lines.items() if line.get_linestyle() == "--"] == [
        "trigger, identity", "trigger, nuisance",
    ]  # fmt: skip
    assert list(lines["identity"].get_xdata()) == [0, 10, 20, 30, 40, 50, 60]
    assert lines["identity"].get_ydata()[4] == pytest.approx(56) and lines["nuisance"].get_ydata() == pytest.approx(90)
    assert lines["trigger, identity"].get_ydata() == pytest.approx(59)


def test_it_is_described(project, read_svg):
    from adin import timeline_plot

    _, description, words = read_svg(timeline_plot(record()))
    assert "step 40, round 2, after model: identity 56.0 %, nuisance 90.0 %" in description.splitlines()
    assert description.startswith("step 0, round 1, after pre-training: ")
    assert {"penalty", "identities (rescue)", "trigger, nuisance", "identity"} <= words


def test_a_run_that_has_just_begun(project, read_svg):
    from adin import timeline_plot

    start = {"iter": 0, "round": 0, "phase": "", "identity": 0.6, "nuisance": 0.9}
    svg = timeline_plot({"timeline": [start], "switches": [{"iter": 0, **THRESHOLDS}]})
    assert read_svg(svg)[2] >= {"identity", "nuisance"}
