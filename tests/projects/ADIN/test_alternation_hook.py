"""The hook in real runs on tiny data: turns, what is written, and resuming in the middle of a turn."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET

import pytest
import torch

import reidzoo.trainers.trainer
from reidzoo.engine.run_folder import RunFolder
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

    def measure(self, *_):
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
    cfg = tiny("STAGES.adversarial.HOOKS.alternation.rule.max_rounds", 1)
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


def scripted(monkeypatch, *accuracies):
    monkeypatch.setattr("reidzoo.trainers.nuisance.Validation", lambda *_: Scripted(*accuracies))


def train(cfg):
    """Train the last stage and return the trainer and each turn's steps, (phase, learning rate)."""
    trainer, recorder = build(cfg), Recorder()
    items = [*trainer.hooks.items(), ("recorder", recorder)]
    trainer.hooks = dict(sorted(items, key=lambda item: item[1].priority))
    trainer.train()
    turns: dict[int, list] = {}
    for epoch, phase, rate in recorder.steps:
        turns.setdefault(epoch, []).append((phase, rate))
    return trainer, list(turns.values())


GOOD, FALLEN, HURT = (0.6, 0.9), (0.6, 0.7), (0.3, 0.7)


def test_turns_their_lengths_and_learning_rates(tiny, pretrained, monkeypatch):
    scripted(monkeypatch, GOOD, GOOD, GOOD, FALLEN, FALLEN, HURT, HURT, GOOD, GOOD)
    shutil.rmtree(pretrained / "adversarial")
    trainer, turns = train(tiny())
    lengths = [(steps[0][0], len(steps)) for steps in turns]
    heads = [("nuisance", 3), ("head", 2)]  # 60 images, batches of 16: 3 steps are an epoch
    assert lengths == [("penalty", 2), *heads, *heads, ("model", 3), *heads, ("penalty", 2), *heads]
    assert trainer.max_epochs == trainer.epoch == len(lengths)
    rates = {steps[0][0]: [rate for _, rate in steps] for steps in turns}
    assert rates == {
        "penalty": [0.01, 0.01], "nuisance": pytest.approx([0.1, 0.1, 0.01]), "head": [0.1, 0.1],
        "model": pytest.approx([0.01, 0.01, 0.001]),
    }  # fmt: skip
    record = json.loads((pretrained / "adversarial/alternation.json").read_text())
    assert [switch["to"] for switch in record["switches"]] == ["penalty", "renew", "rescue", "penalty", "end"]
    why = record["switches"][2]
    assert why["measured"]["identity"] == 0.3 and why["thresholds"]["trigger_identity"] == pytest.approx(0.59)


@pytest.mark.parametrize("factor, kept", [(0.0, 0.0), (0.1, 0.1)], ids=["StepLR's gamma False", "as it was meant"])
def test_the_codes_schedule_within_turns_and_after_40_penalties(tiny, pretrained, monkeypatch, factor, kept):
    scripted(monkeypatch, GOOD)
    hook = "STAGES.adversarial.HOOKS.alternation"
    opts = [f"{hook}.lasting.penalty", 2, f"{hook}.decay_factor", factor, f"{hook}.epochs.head", 1]
    shutil.rmtree(pretrained / "adversarial")
    _, turns = train(tiny(*opts, file="duke_market_code.yml", overlay="small_code.yml", steps=False))
    rates = [[rate for _, rate in steps] for steps in turns]
    late = pytest.approx([0.1, 0.1, 0.1 * kept])  # of three steps two are the first two thirds
    assert rates[0] == rates[3] == [5.0] * 3  # the code's, also when small
    assert rates[6] == pytest.approx([5.0 * kept] * 3)
    assert all(rates[n] == late for n in (1, 2, 4, 5))


def test_the_penaltys_momentum_lives_through_the_run(tiny, pretrained, monkeypatch):
    """The second penalty's turn knows of the first one's steps; other phases begin without moments each time."""
    scripted(monkeypatch, GOOD)
    shutil.rmtree(pretrained / "adversarial")
    cfg = tiny("STAGES.adversarial.HOOKS.alternation.rule.max_rounds", 2)
    trainer, moments = build(cfg), []

    class Looker(Hook):
        priority = 11

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if batch_idx == 0:
                states = runner.optims["penalty"].torch.state, runner.optims["nuisance"].torch.state
                moments.append((runner.phase, *(len(state) for state in states)))

    trainer.hooks = dict(sorted([*trainer.hooks.items(), ("looker", Looker())], key=lambda item: item[1].priority))
    trainer.train()
    known = [(phase, penalty > 0, nuisance > 0) for phase, penalty, nuisance in moments]
    assert known == [
        ("penalty", False, False), ("nuisance", True, False), ("head", True, False),
        ("penalty", True, False), ("nuisance", True, False), ("head", True, False),
    ]  # fmt: skip


def test_the_texts_rule_trains_one_problem_until_a_threshold_and_then_the_other(tiny, monkeypatch):
    falling = (0.52, 0.9)
    hook = "STAGES.adversarial.HOOKS.alternation"
    Pipeline(tiny(f"{hook}.rule.max_actions", 1, file="mini_paper.yml", name="paper", alternates=False)).train()
    scripted(monkeypatch, (0.6, 0.9), falling, (0.61, 0.9), (0.61, 0.9), (0.58, 0.9), (0.58, 0.9), falling, (0.6, 0.9))
    cfg = tiny(f"{hook}.rule.max_actions", 5, file="mini_paper.yml", name="paper", alternates=False)
    shutil.rmtree(RunFolder.of_config(cfg).stage("adversarial").path)
    trainer, turns = train(cfg)
    assert [steps[0][0] for steps in turns] == ["model", "model", "nuisance", "penalty", "nuisance", "penalty", "model"]
    switches = trainer.hooks["alternation"].switches
    assert [switch["to"] for switch in switches] == ["identity", "identity", *["adversarial"] * 2, "identity", "end"]
    assert switches[3]["thresholds"] == {"below_identity": pytest.approx(0.55)}


def test_a_run_writes_why_it_switched_and_draws_it(tiny, pretrained, caplog):
    record = json.loads((pretrained / "adversarial/alternation.json").read_text())
    assert record["rule"]["max_rounds"] == 1 and record["timeline"][0]["phase"] == ""
    for switch in record["switches"]:
        assert {"number", "iter", "from", "to"} <= set(switch) and set(switch["measured"]) == {"identity", "nuisance"}
    assert record["switches"][0]["from"] == "begin" and record["switches"][-1]["to"] == "end"
    ET.parse(pretrained / "adversarial/alternation.svg")
    results = json.loads((pretrained / "adversarial/results.json").read_text())
    assert set(results) == {"Market1501 twin", "probe"} and "camid_accuracy" in results["probe"]
    assert "trigger_identity" in (pretrained / "log.txt").read_text()


@pytest.mark.parametrize("code", [False, True], ids=["steps", "full batch"])
def test_stopped_in_the_middle_of_turns_and_resumed_equals_uninterrupted(tiny, tmp_path, monkeypatch, code):
    file = "duke_market_code.yml" if code else "mini.yml"
    # The code's rule may rescue for ever.
    small = (
        ["BACKBONE.pretrained", "''", "BACKBONE.depth", 18, "STAGES.adversarial.SOLVER.MAX_EPOCHS", 8] if code else []
    )

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
        (["epochs.penal", 3], "epochs names penal"),
        (["steps.head", 3], "give epochs or steps of head, not both"),
        (["lasting.pen", 3], "lasting names pen"),
        (["resets.penalty", "everything"], "no method reset_everything"),
        (["rule.max_round", 3], "max_round"),
        (["rule.nuisance_drop", 10], "nuisance_drop must be"),
        (["decay_at", 20], "decay_at must be"),
        (["validation", "{type: HoldOut, dataset: DukeMTMC, part: train}"], "held out"),
        (["validation", "{type: HoldOut, dataset: Market1501, part: val}"], "held out"),
    ):
        with pytest.raises(ConfigError, match=message):
            build(tiny(f"STAGES.adversarial.HOOKS.alternation.{opts[0]}", *opts[1:])).train()
    with pytest.raises(ConfigError, match="a loss of phase penalty"):
        build(tiny("STAGES.adversarial.LOSSES.adv", "null")).train()
    with pytest.raises(ConfigError, match="finds no validation part"):
        build(tiny("DATASETS.TRAIN.train", "DukeMTMC")).train()


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("HOOKS.alternation.rule.max_round", 3, "max_round"),
        ("OPTIMIZERS.penalty.params", "[model.head.nothing]", "model.head.nothing"),
        ("LOSSES.adv", "null", "a loss of phase penalty"),
    ],
)
def test_a_mistake_in_the_last_stage_is_found_before_the_first_one(tiny, tmp_path, key, value, message):
    with pytest.raises(ConfigError, match=message):
        Pipeline(tiny(f"STAGES.adversarial.{key}", value)).train()
    assert not (tmp_path / "run/identity").exists()


@pytest.mark.parametrize("reduction", ["conv", "linear"])
def test_both_reductions_of_the_dual_branch_train(tiny, reduction):
    small = ["BACKBONE.pretrained", "''", "BACKBONE.depth", 18, "HEAD.reduction", reduction]
    hook = ["STAGES.adversarial.HOOKS.alternation.rule.max_rounds", 1]
    results = Pipeline(tiny(*small, *hook, file="duke_market_dual.yml")).train()
    assert set(results["adversarial"]) == {"Market1501 twin", "probe"}
