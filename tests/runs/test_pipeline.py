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
