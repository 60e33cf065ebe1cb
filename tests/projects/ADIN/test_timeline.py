from __future__ import annotations

import xml.etree.ElementTree as ET

NAME = "{http://www.w3.org/2000/svg}"
THRESHOLDS = {"goal": 0.6, "trigger_identity": 0.59, "trigger_nuisance": 0.8}


def test_a_band_for_each_turn_and_a_dot_for_each_accuracy(project):
    from adin import draw_timeline

    phases = ["", "penalty", "nuisance", "head", "model", "nuisance", "head"]
    timeline = [
        {"iter": 10 * n, "round": n // 4 + 1, "phase": phase, "identity": 0.6 - 0.01 * n, "nuisance": 0.9}
        for n, phase in enumerate(phases)
    ]
    switches = [{"iter": 0, **THRESHOLDS}, {"iter": 30, **THRESHOLDS}, {"iter": 60, **THRESHOLDS}]
    tree = ET.fromstring(draw_timeline({"timeline": timeline, "switches": switches}))
    bands = [node for node in tree.iter(f"{NAME}rect") if node.find(f"{NAME}title") is not None]
    names = ["penalty", "nuisance classifier", "identity classifier", "identities (rescue)"]
    assert [band.find(f"{NAME}title").text for band in bands] == [*names, *names[1:3]]
    titles = [node.text for node in tree.iter(f"{NAME}title")]
    assert (
        "round 2, after model: identity 56.0 %" in titles and "round 1, after pre-training: nuisance 90.0 %" in titles
    )
    lines = list(tree.iter(f"{NAME}polyline"))
    assert len(lines) == 4 and sum("stroke-dasharray" in line.attrib for line in lines) == 2


def test_a_run_that_has_just_begun(project):
    from adin import draw_timeline

    start = {"iter": 0, "round": 0, "phase": "", "identity": 0.6, "nuisance": 0.9}
    ET.fromstring(draw_timeline({"timeline": [start], "switches": [{"iter": 0, **THRESHOLDS}]}))
