from __future__ import annotations

from reidzoo.config import load_config
from reidzoo.runs import environment, pipeline


def test_a_finished_run_keeps_what_it_was_made_with(write_config, tmp_path, monkeypatch):
    path = write_config(SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1})
    pipeline.Pipeline(load_config(path)).train()
    files = [tmp_path / "run" / name for name in ("config.yml", "environment.json")]
    before = [file.read_text() for file in files]
    monkeypatch.setattr(environment, "environment", lambda: {"commit": "another", "uncommitted": "none"})
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
