from __future__ import annotations

import json

import pytest

from reidzoo.config import load_config
from reidzoo.engine import pipeline

STATUS = """\
 M README.md
 M reidzoo/engine/loader.py
R  projects/A/old.yml -> projects/A/new.yml
?? projects/A/a/loss.py
 M projects/A/results.yml
 M reidzoo/zoo/index.yml
?? projects/A/results/table1.json"""


@pytest.mark.parametrize(
    ("commit", "status", "said"),
    [
        ("abc", STATUS, "reidzoo/engine/loader.py, projects/A/new.yml, projects/A/a/loss.py"),
        ("abc", "", "none"),
        ("", "", "unknown"),
    ],
)
def test_the_environment_names_uncommitted_code(monkeypatch, commit, status, said):
    monkeypatch.setattr(pipeline, "_git", lambda word, *_: {"rev-parse": commit, "status": status}[word])
    found = pipeline.environment()
    assert found["uncommitted"] == said and found["commit"] == (commit or "unknown")


def test_git_is_asked_where_the_code_is(monkeypatch, tmp_path):
    before = pipeline.environment()
    monkeypatch.chdir(tmp_path)
    assert pipeline.environment() == before


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("none", "none", "none"),
        ("a.py", "none", "a.py"),
        ("a.py", "a.py, b.py", "a.py, b.py"),
        (None, "none", "unknown"),
    ],
)
def test_what_was_not_committed_stays_noted_when_a_run_goes_on(monkeypatch, tmp_path, before, now, said):
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({} if before is None else {"uncommitted": before}))
    monkeypatch.setattr(pipeline, "environment", lambda: {"uncommitted": now})
    pipeline._note_environment(path, started=True)
    assert json.loads(path.read_text()) == {"uncommitted": said}
    pipeline._note_environment(path, started=False)
    assert json.loads(path.read_text()) == {"uncommitted": now}


def test_a_finished_run_keeps_what_it_was_made_with(write_config, tmp_path, monkeypatch):
    path = write_config(SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1})
    pipeline.Pipeline(load_config(path)).train()
    files = [tmp_path / "run" / name for name in ("config.yml", "environment.json")]
    before = [file.read_text() for file in files]
    monkeypatch.setattr(pipeline, "environment", lambda: {"commit": "another", "uncommitted": "none"})
    pipeline.Pipeline(load_config(path, ["SOLVER.MAX_EPOCHS", "2"])).train(go_on=True)
    assert [file.read_text() for file in files] == before
    assert "+SOLVER: {MAX_EPOCHS: 2," in (tmp_path / "run" / "log.txt").read_text()  # and says what it did not do


def test_a_table_of_results_shows_every_figure_and_a_dash_for_those_that_older_results_lack():
    old = {"mAP": 0.5, "rank-1": 0.25, "rank-5": 0.5, "rank-10": 1.0, "mINP": 0.125}
    results = {
        "one": {"Market1501 twin": old, "probe": {"accuracy": 0.5}},
        "two": {"MSMT17": {**old, "rank-20": 1.0, "TPR@FPR=0.01": 0.75}},
    }
    head, _, *rows = [line.split() for line in pipeline.results_table(results).splitlines()]
    assert head == ["stage", "tested", "on", *pipeline.FIGURES, "TPR@FPR=0.01"]
    assert rows == [
        ["one", "Market1501", "twin", "50.0", "25.0", "50.0", "100.0", "-", "12.5", "-"],
        ["two", "MSMT17", "50.0", "25.0", "50.0", "100.0", "100.0", "12.5", "75.0"],
    ]
