"""Early stopping on held-out identities: when, with which weights, and that it leaves the run alone."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.errors import ConfigError, UserError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.trainers import BaselineTrainer

pytestmark = pytest.mark.slow

HELD = {"type": "HoldOutIdentities", "part": "train", "held_out": 5, "dataset": "Market1501"}


class ScriptedTrainer(BaselineTrainer):
    """Its validation losses are given: one for each epoch."""

    script: tuple[float, ...] = ()

    def validation_loss(self, batch):
        assert not self.model.training and not torch.is_grad_enabled()
        self.seen = [*getattr(self, "seen", []), batch["index"].tolist()]
        self.pids = {data.records[i].pid for data in self.hooks["stop"].loader.sets.values() for i in batch["index"]}
        return torch.tensor(self.script[self.epoch])


@pytest.fixture(autouse=True)
def trainer_class():
    if "ScriptedTrainer" not in TRAINER.module_dict:
        TRAINER.register_module(module=ScriptedTrainer)
    return TRAINER.get("ScriptedTrainer")


@pytest.fixture
def run(write_config, tmp_path, trainer_class):
    """Return a function that trains by a script of losses and returns the metrics' rows and the final checkpoint."""

    def run(script, name="run", others=None, **hook):
        trainer_class.script = script
        path = write_config(
            OUTPUT_DIR=str(tmp_path / name),
            DATASETS={"TRAIN": {"train": HELD}},
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": len(script), "CHECKPOINT_PERIOD": 1},
            TRAINER={"type": "ScriptedTrainer"},
            HOOKS={"stop": {"type": "EarlyStopHook", "batches": 2, **hook}, **(others or {})},
        )
        Pipeline(load_config(path)).train()
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return rows, torch.load(tmp_path / name / "model_final.pth", weights_only=True)

    return run


def evaluations(rows):
    return [row["evaluation"]["validation"]["loss"] for row in rows if "evaluation" in row]


def test_it_stops_after_its_patience_with_the_best_epochs_weights(run, tmp_path):
    rows, state = run((3.0, 1.0, 2.0, 1.5, 0.1, 0.1), patience=2)
    assert evaluations(rows) == [3.0, 1.0, 2.0, 1.5] and state["epoch"] == 4
    _, best = run((3.0, 1.0), name="two epochs")
    for key, value in best["parts"]["model"].items():
        assert torch.equal(state["parts"]["model"][key], value), key
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["validation"] == {"loss": 1.5, "best_loss": 1.0, "kept_epoch": 2, "untrained": 0}
    assert (
        results["Market1501 twin"] == json.loads((tmp_path / "two epochs/results.json").read_text())["Market1501 twin"]
    )


def test_at_the_last_epoch_the_best_weights_are_taken_back_too(run):
    rows, state = run((3.0, 1.0, 2.0), patience=5)
    assert len(evaluations(rows)) == 3
    _, best = run((3.0, 1.0), name="two epochs", patience=5)
    assert all(torch.equal(state["parts"]["model"][k], v) for k, v in best["parts"]["model"].items())


def test_of_a_mean_over_time_the_best_epochs_is_kept(run):
    ema = {"ema": {"type": "EMAHook", "momentum": 0.75}}
    _, state = run((3.0, 1.0, 2.0), others=ema, patience=5)
    _, best = run((3.0, 1.0), name="two epochs", others=ema, patience=5)
    assert all(torch.equal(state["parts"]["model"][k], v) for k, v in best["parts"]["model"].items())
    raw, plain = state["hooks"]["ema"]["raw"], run((3.0, 2.0, 1.0), name="plain")[1]["parts"]["model"]
    assert all(torch.equal(raw[k], v) for k, v in plain.items())  # the last step's, which the mean leaves alone


def test_epochs_before_it_begins_are_no_candidates(run):
    rows, state = run((0.0, 3.0, 2.0, 4.0, 5.0, 1.0), patience=2, begin_epoch=1)
    assert evaluations(rows) == [3.0, 2.0, 4.0, 5.0] and state["epoch"] == 5
    _, best = run((3.0, 2.0, 1.0), name="three epochs")
    assert all(torch.equal(state["parts"]["model"][k], v) for k, v in best["parts"]["model"].items())


def test_a_stage_that_keeps_the_model_it_began_with_says_so(run, monkeypatch, trainer_class, tmp_path):
    """As where an adversary's first epochs train the discriminator alone."""
    step = trainer_class.step_model
    monkeypatch.setattr(trainer_class, "step_model", lambda self, batch: step(self, batch) if self.epoch else {})
    run((1.0, 3.0, 2.0), patience=5)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["validation"] == {"loss": 2.0, "best_loss": 1.0, "kept_epoch": 1, "untrained": 1}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run(run, loss):
    with pytest.raises(UserError, match=r"validation data is (nan|inf) after epoch 2"):
        run((3.0, loss, 1.0))


def test_the_same_batches_of_held_out_identities_each_time(run, trainer_class, monkeypatch):
    made = []
    monkeypatch.setattr(trainer_class, "validation_loss", wrapped(trainer_class.validation_loss, made))
    run((2.0, 1.0))
    (trainer,) = {id(t): t for t in made}.values()
    assert trainer.seen[:2] == trainer.seen[2:] and trainer.seen[0] != trainer.seen[1]
    assert not trainer.pids & {record.pid for record in trainer.sets["train"].records}


def wrapped(function, made):
    def call(self, batch):
        made.append(self)
        return function(self, batch)

    return call


def test_a_run_with_it_is_the_run_without_as_long_as_it_lasts(run, write_config, tmp_path):
    _, state = run((3.0, 2.0))
    path = write_config(
        OUTPUT_DIR=str(tmp_path / "plain"),
        DATASETS={"TRAIN": {"train": HELD}},
        SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 2},
    )
    Pipeline(load_config(path)).train()
    plain = torch.load(tmp_path / "plain" / "model_final.pth", weights_only=True)
    assert all(torch.equal(state["parts"]["model"][k], v) for k, v in plain["parts"]["model"].items())
    assert torch.equal(plain["random"][0]["cpu"], state["random"][0]["cpu"])


def test_killed_after_its_last_epoch_it_does_not_go_on(run, tmp_path, write_config):
    rows, state = run((3.0, 1.0, 2.0, 9.0, 9.0), patience=1)
    folder = tmp_path / "run"
    torch.save(state, folder / "last.pth")  # as it was before the final checkpoint
    (folder / "model_final.pth").unlink()
    Pipeline(load_config(folder / "config.yml")).train(go_on=True)
    again = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert again == rows and (folder / "model_final.pth").exists()


@pytest.mark.parametrize("changes, said", [
    ({"patience": 0}, "patience must be"),
    ({"begin_epoch": -1}, "begin_epoch must be"),
    ({"validation": {**HELD, "held_out": 3}}, "trained on and validated on"),
])  # fmt: skip
def test_mistakes_are_named(run, changes, said):
    with pytest.raises(UserError, match=said):
        run((1.0,), **changes)


def test_without_a_validation_part_or_loss(write_config):
    hook = {"stop": {"type": "EarlyStopHook"}}
    with pytest.raises(ConfigError, match=r"BaselineTrainer has no validation_loss"):
        Pipeline(load_config(write_config(HOOKS=hook))).train()
    with pytest.raises(ConfigError, match="finds no validation part"):
        Pipeline(load_config(write_config(HOOKS=hook, TRAINER={"type": "ScriptedTrainer"}))).train()
