from __future__ import annotations

import json

from reidzoo.config import load_config
from reidzoo.engine.run_folder import RunFolder
from reidzoo.reporting.run_record import RunRecord


def read(folder):
    return RunRecord.read(RunFolder(folder), load_config(folder / "config.yml"))


def test_stages_follow_one_another_on_one_axis_of_epochs(run_folder):
    record = read(run_folder)
    assert record.spans == [(0, 3, "label"), (3, 6, "last")]
    losses, rates = record.losses(), record.rates()
    assert [epoch for epoch, _ in losses["id"]] == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5.5, 6]
    assert [epoch for epoch, _ in losses["domain"]] == [4.5, 5] and list(losses) == ["id", "domain"]
    assert len(rates["lr/model"]) == 12
    assert [epoch for epoch, _ in record.measures()["Market1501 twin"]["mAP"]] == [1, 2, 3, 4, 5, 6]
    assert record.measures()["Market1501 twin"]["mAP"][0][1] == 25
    assert [epoch for epoch, _ in record.labels()] == [0]
    assert record.phases == [(0, 1, "m"), (3, 4, "model"), (4, 5, "discriminator"), (5, 6, "model")]


def test_a_rate_rests_where_its_optimizer_takes_no_step(run_folder):
    record = read(run_folder)
    stage = record.stages[1]
    stage.cfg.defrost()
    stage.cfg.TRAINER.type = "AdversarialTrainer"
    for row in stage.rows:
        row.update({"lr/discriminator": 0.1} if "step" in row else {})
    rates = stage.rates()
    assert [epoch for epoch, _ in rates["lr/model"]] == [3.5, 4, 5.5, 6]
    assert [epoch for epoch, _ in rates["lr/discriminator"]] == [4.5, 5]


def test_the_record_of_an_alternation_is_read_once(run_folder, monkeypatch):
    stage, texts, loads = read(run_folder).stages[1], [], json.loads
    timeline = [{}, {"epoch": 1, "phase": "discriminator"}, {"epoch": 3, "phase": "model"}]
    (stage.files.path / "alternation.json").write_text(json.dumps({"timeline": timeline}))
    monkeypatch.setattr(json, "loads", lambda text: texts.append(text) or loads(text))
    assert "lr/model" in stage.rates() and len(stage.rows) > 1 == len(texts)


def test_a_run_that_still_trains(run_folder):
    """The last stage has not begun, and the first was killed within an epoch and within a line."""
    (run_folder / "last" / "metrics.jsonl").unlink()
    metrics = run_folder / "label" / "metrics.jsonl"
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    kept = [row for row in rows if row.get("iter", 0) <= 6]
    metrics.write_text("".join(json.dumps(row) + "\n" for row in kept) + '{"iter": 8, "epo')
    record = read(run_folder)
    assert record.spans == [(0, 1.5, "label")]
    assert [epoch for epoch, _ in record.losses()["id"]] == [0.5, 1, 1.5]
