"""The hook in real runs on tiny data: turns, what is written, and resuming in the middle of a turn."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
import torch

import reidzoo.trainers.trainer
from reidzoo.errors import ConfigError
from reidzoo.hooks import Hook
from reidzoo.runs.pipeline import Pipeline

from ...conftest import assert_equal_runs

pytestmark = pytest.mark.slow


class Killed(Exception):
    """What ends a run in the middle."""


class Killer(Hook):
    """Ends the run after each of some steps, once; as if it were killed, nothing is saved then."""

    priority = 99

    def __init__(self, *at):
        self.at = list(at)

    def save_point(self, runner):
        if self.at and runner.iter == self.at[0] and runner.step:
            self.at.pop(0)
            raise Killed


class Scripted:
    """Stands for the validation set: gives accuracies one after the other, the last one for ever."""

    def __init__(self, *values):
        self.values = list(values)

    def measure(self, runner):
        found = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        return dict(zip(("identity", "nuisance"), found))


class Recorder(Hook):
    """Notes each step's epoch, phase and learning rate."""

    priority = 11

    def __init__(self):
        self.steps = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.steps.append((runner.epoch, runner.phase, runner.optims[runner.phase].lr))


@pytest.fixture
def pretrained(tiny):
    """Return the folder of a run whose first two stages are done."""
    cfg = tiny("STAGES.adversarial.HOOKS.alternation.rules.max_rounds", 1)
    pipeline = Pipeline(cfg)
    pipeline.train()
    return pipeline.folder.path


def build(cfg):
    from reidzoo.engine.build import build_train_sets
    from reidzoo.registry import TRAINER

    pipeline = Pipeline(cfg)
    stage = pipeline.stages["adversarial"]
    folder = pipeline.folder.stage("adversarial").path
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    return TRAINER.build(
        stage.TRAINER, cfg=stage, sets=build_train_sets(stage), output_dir=folder, device=torch.device("cpu")
    )


def test_turns_their_lengths_and_learning_rates(tiny, pretrained, monkeypatch):
    import adin.alternation_hook

    good, fallen, hurt = (0.6, 0.9), (0.6, 0.7), (0.3, 0.7)
    script = Scripted(good, good, good, fallen, fallen, hurt, hurt, good, good)
    monkeypatch.setattr(adin.alternation_hook, "Validation", lambda *_: script)
    shutil.rmtree(pretrained / "adversarial")
    trainer = build(tiny())
    recorder = Recorder()
    items = [*trainer.hooks.items(), ("recorder", recorder)]
    trainer.hooks = dict(sorted(items, key=lambda item: item[1].priority))
    trainer.train()
    turns = {epoch: [phase for at, phase, _ in recorder.steps if at == epoch] for epoch, _, _ in recorder.steps}
    lengths = [(steps[0], len(steps)) for steps in turns.values()]
    heads = [("nuisance", 3), ("head", 2)]  # 60 images, batches of 16: 3 steps are an epoch
    assert lengths == [("penalty", 2), *heads, *heads, ("model", 3), *heads, ("penalty", 2), *heads]
    assert trainer.max_epochs == trainer.epoch == len(lengths)
    rates = {phase: [lr for at, _, lr in recorder.steps if at == epoch] for epoch, phase, _ in recorder.steps}
    assert rates == {
        "penalty": [0.01, 0.01], "nuisance": pytest.approx([0.1, 0.1, 0.01]), "head": [0.1, 0.1],
        "model": pytest.approx([0.01, 0.01, 0.001]),
    }  # fmt: skip
    record = json.loads((pretrained / "adversarial/alternation.json").read_text())
    assert [switch["to"] for switch in record["switches"]] == ["penalty", "renew", "rescue", "penalty", "end"]
    assert record["switches"][2]["identity"] == 0.3 and record["switches"][2]["trigger_identity"] == pytest.approx(0.59)


def test_decay_factor_0_ends_turns_as_the_authors_code_does(project):
    from adin import AlternationHook

    rates = []
    hook = AlternationHook("Market1501", decay_factor=0.0)
    runner = SimpleNamespace(loader=SimpleNamespace(length=30), optims={})
    for hook.turns in (["head"], ["penalty"]):
        runner.optims = {hook.turns[0]: SimpleNamespace(scale_lr=rates.append)}
        for step in range(30):
            hook.before_train_iter(runner, step)
    assert rates == [1.0] * 20 + [0.0] * 10 + [1.0] * 30


def test_a_run_writes_why_it_switched_and_draws_it(tiny, pretrained, caplog):
    record = json.loads((pretrained / "adversarial/alternation.json").read_text())
    assert record["rules"]["max_rounds"] == 1 and record["timeline"][0]["phase"] == ""
    for switch in record["switches"]:
        assert {"round", "iter", "from", "to", "identity", "nuisance", "goal", "trigger_nuisance"} <= set(switch)
    assert record["switches"][0]["from"] == "begin" and record["switches"][-1]["to"] == "end"
    ET.parse(pretrained / "adversarial/alternation.svg")
    results = json.loads((pretrained / "adversarial/results.json").read_text())
    assert set(results) == {"Market1501 twin", "probe"} and "camid_accuracy" in results["probe"]
    assert "identities" in (pretrained / "log.txt").read_text() and "trigger" in (pretrained / "log.txt").read_text()


@pytest.mark.parametrize("code", [False, True], ids=["steps", "full batch"])
def test_stopped_in_the_middle_of_turns_and_resumed_equals_uninterrupted(tiny, tmp_path, monkeypatch, code):
    file = "duke_market_code.yml" if code else "mini.yml"
    small = ["BACKBONE.pretrained", "''", "BACKBONE.depth", 18] if code else []

    def config(name):
        return tiny(*small, "SOLVER.CHECKPOINT_ITERS", 2, file=file, name=name)

    Pipeline(config("whole")).train()
    killer = Killer(1, 4, 9)
    build_hooks = reidzoo.trainers.trainer.build_hooks
    monkeypatch.setattr("reidzoo.trainers.trainer.build_hooks", lambda nodes: {"killer": killer, **build_hooks(nodes)})
    for _ in range(3):
        with pytest.raises(Killed):
            Pipeline(config("broken")).train(go_on=True)
    Pipeline(config("broken")).train(go_on=True)
    whole, broken = tmp_path / "whole/adversarial", tmp_path / "broken/adversarial"
    assert_equal_runs(broken, whole, ignore="killer")
    for name in ("alternation.json", "alternation.svg"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_the_joint_schedule_runs(tiny):
    opts = ("STAGES.adversarial.SOLVER.MAX_EPOCHS", 1, "BACKBONE.pretrained", "''", "BACKBONE.depth", 18)
    results = Pipeline(tiny(*opts, file="duke_market_joint.yml", alternates=False)).train()
    assert set(results["adversarial"]) == {"Market1501 twin", "probe"}


def test_mistakes_are_named(tiny, pretrained):
    for opts, message in (
        (["epochs.penalty", 3], "epochs of model, nuisance and head"),
        (["rules.max_round", 3], "max_round"),
        (["rules.nuisance_drop", 10], "nuisance_drop must be"),
        (["decay_at", 20], "decay_at must be"),
        (["validation", "{type: HoldOut, dataset: DukeMTMC, part: train}"], "held out"),
        (["validation", "{type: HoldOut, dataset: Market1501, part: val}"], "held out"),
    ):
        with pytest.raises(ConfigError, match=message):
            build(tiny(f"STAGES.adversarial.HOOKS.alternation.{opts[0]}", *opts[1:])).train()
    with pytest.raises(ConfigError, match="LOSSES of phase penalty"):
        build(tiny("STAGES.adversarial.LOSSES.adv", "null")).train()


def test_a_mistake_in_the_last_stages_hook_is_found_before_the_first_stage(tiny, tmp_path):
    with pytest.raises(ConfigError, match="max_round"):
        Pipeline(tiny("STAGES.adversarial.HOOKS.alternation.rules.max_round", 3)).train()
    assert not (tmp_path / "run/identity").exists()
