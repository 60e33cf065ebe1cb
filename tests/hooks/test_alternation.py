"""The shared alternation, driven by rules that nobody here knows, on a trainer that nobody here knows."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.errors import ConfigError
from reidzoo.hooks import AlternationHook, SwitchRule
from reidzoo.registry import SWITCH_RULE, TRAINER
from reidzoo.runs.pipeline import Pipeline
from reidzoo.trainers import BaselineTrainer, needs

HELD = {"type": "HoldOut", "dataset": "Market1501", "part": "train"}
SGD = {"type": "SGD", "lr": 0.1, "momentum": 0.9}


@TRAINER.register_module()
class SlowAndFast(BaselineTrainer):
    """Trains the whole model, or its classifier alone; measures how many steps there were."""

    @needs("classifier")
    def step_classifier(self, batch):
        return self.minimize("classifier", tensors={**batch, **self.forward(batch["img"])})

    def validator(self, dataset):
        self.held = [record.path for record in dataset.train]
        return lambda: {"steps": float(self.iter), "images": float(len(self.held))}

    def reset_classifier(self, generator):
        weight = self.model.head.classifier.weight
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=generator))


@SWITCH_RULE.register_module()
class EveryThird(SwitchRule):
    """The classifier, twice the whole model, and so on for ten steps."""

    actions, measures = ("slow", "fast"), ("steps",)

    def __init__(self, steps=10):
        self.steps, self.count = steps, 0

    def decide(self, measured):
        self.count += 1
        return "end" if measured["steps"] >= self.steps else "slow" if self.count % 3 else "fast"


ALTERNATION = {
    "type": "AlternationHook",
    "rule": {"type": "EveryThird"},
    "turns": {"slow": ["classifier"], "fast": ["model", "classifier"]},
    "steps": {"classifier": 2},
    "resets": {"fast": "classifier"},
}


@pytest.fixture
def config(write_config, tmp_path):
    def config(name="run", **alternation):
        path = write_config(
            DATASETS={"TRAIN": {"train": HELD}},
            TRAINER={"type": "SlowAndFast"},
            LOSSES={
                "id": {"type": "CrossEntropyLoss"},
                "again": {"type": "CrossEntropyLoss", "phase": "classifier"},
            },
            OPTIMIZERS={"model": SGD, "classifier": {**SGD, "params": ["model.head.classifier"]}},
            SOLVER={"MAX_EPOCHS": 50, "ITERS_PER_EPOCH": 3, "IMS_PER_BATCH": 16, "CHECKPOINT_ITERS": 1},
            HOOKS={"turns": {**ALTERNATION, **alternation}},
            OUTPUT_DIR=str(tmp_path / name),
        )
        return load_config(path)

    return config


def test_a_rule_of_somebody_elses_drives_a_trainer_of_somebody_elses(config, tmp_path):
    Pipeline(config()).train()
    record = json.loads((tmp_path / "run/alternation.json").read_text())
    assert [switch["to"] for switch in record["switches"]] == ["slow", "slow", "fast", "slow", "end"]
    assert [(point["phase"], point["iter"], point["epoch"]) for point in record["timeline"]] == [
        ("", 0, 0), ("classifier", 2, 1), ("classifier", 4, 2), ("model", 7, 3), ("classifier", 9, 4),
        ("classifier", 11, 5),
    ]  # fmt: skip
    assert {switch["measured"]["images"] for switch in record["switches"]} == {12}
    assert (tmp_path / "run/alternation.svg").exists()


def test_a_reset_is_before_an_actions_first_turn_and_draws_other_numbers_each_time(config, monkeypatch):
    resets = {}
    note = lambda trainer, generator: resets.update({trainer.iter: generator.initial_seed()})  # noqa: E731
    monkeypatch.setattr(SlowAndFast, "reset_classifier", note)
    Pipeline(config(rule={"type": "EveryThird", "steps": 20})).train()
    assert list(resets) == [4, 13] and resets[4] != resets[13]  # not between the turns of "fast", at 7 and 16


def test_a_rule_that_ends_at_once_trains_nothing(config, tmp_path):
    Pipeline(config(rule={"type": "EveryThird", "steps": 0})).train()
    assert torch.load(tmp_path / "run/model_final.pth", weights_only=True)["iter"] == 0


def test_a_recorded_run_is_repeated_turn_by_turn(config, tmp_path):
    Pipeline(config()).train()
    Pipeline(config("again", rule={"type": "RecordedActions", "file": str(tmp_path / "run/alternation.json")})).train()
    first, second = (json.loads((tmp_path / name / "alternation.json").read_text()) for name in ("run", "again"))
    assert first["timeline"] == second["timeline"] and first["rule"] != second["rule"]
    assert [switch["to"] for switch in first["switches"]] == [switch["to"] for switch in second["switches"]]


def test_a_dotted_rule_is_imported(config, tmp_path):
    rule = {"type": "reidzoo.hooks.ConstantThresholds", "start": "slow", "switches": {}, "max_actions": 1}
    Pipeline(config(rule=rule)).train()
    record = json.loads((tmp_path / "run/alternation.json").read_text())
    assert [switch["to"] for switch in record["switches"]] == ["slow", "end"]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"steps": {"classifier": 4}, "decay_at": 0.5, "decay_factor": 0.2}, [0.1, 0.1, 0.02, 0.02] * 2),
        ({"steps": {"classifier": 4}, "decay_at": 1.0}, [0.1] * 8),
        ({"steps": {"classifier": 2}, "lasting": {"classifier": 1}, "decay_factor": 0.5}, [0.1, 0.1, 0.05, 0.05]),
        ({"steps": {"classifier": 2}, "lasting": {"classifier": 0}}, [0.1] * 4),
        ({"steps": None, "epochs": {"classifier": 2 / 3}, "decay_at": 1.0}, [0.1] * 4),  # of three steps
    ],
)
def test_rates_and_lengths_of_two_turns(config, monkeypatch, changes, expected):
    rates, moments = [], []

    def note(trainer, batch):
        optim, (weight, *_) = trainer.optims["classifier"], trainer.model.head.classifier.parameters()
        rates.append(optim.lr)
        moments.append("momentum_buffer" in optim.torch.state.get(weight, {}))
        return step(trainer, batch)

    step = SlowAndFast.step_classifier
    monkeypatch.setattr(SlowAndFast, "step_classifier", note)
    rule = {"type": "ConstantThresholds", "start": "slow", "switches": {}, "max_actions": 2}
    Pipeline(config(**{**changes, "rule": rule, "resets": None})).train()
    rates, moments = rates[1:], moments[1:]  # the first step is the dry run's
    assert rates == pytest.approx(expected)
    begins = len(expected) // 2  # the second turn: its optimizer is new, unless it is lasting
    assert not moments[0] and moments[begins] == ("lasting" in changes)


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 5, 6, 9])
def test_a_run_stopped_at_any_step_ends_as_the_whole_one(config, tmp_path, monkeypatch, at):
    from ..conftest import assert_equal_runs

    Pipeline(config("whole")).train()

    class Stop(Exception):
        pass

    def interrupt(trainer, event, **arguments):
        call(trainer, event, **arguments)
        if event == "save_point" and trainer.iter == at:
            raise Stop

    call = SlowAndFast.call
    with monkeypatch.context() as patch:
        patch.setattr(SlowAndFast, "call", interrupt)
        with pytest.raises(Stop):
            Pipeline(config("broken")).train()
    Pipeline(config("broken")).train(go_on=True)
    assert_equal_runs(tmp_path / "broken", tmp_path / "whole")
    assert (tmp_path / "broken/alternation.json").read_bytes() == (tmp_path / "whole/alternation.json").read_bytes()


def mistakes():
    constant = {"type": "ConstantThresholds", "start": "slow", "switches": {}}
    unknown = {**constant, "switches": {"slow": [{"measure": "mAP", "above": 0.5, "next": "fast"}]}}
    yield {"rule": unknown}, "decides by mAP, and SlowAndFast measures steps, images"
    yield {"rule": {**constant, "start": "adversarial"}}, "may decide on adversarial, which turns does not have"
    yield {"rule": {"type": "EveryFourth"}}, "nothing is registered as 'EveryFourth'"
    yield {"turns": {"slow": ["penalty"], "fast": ["model"]}, "steps": None}, "no phase 'penalty'"
    yield {"steps": {"penalty": 2}}, "steps names penalty"
    yield {"validation": HELD}, "must be held out; of its"
    yield {"validation": {"type": "Tests", "dataset": "Market1501"}}, "are in DATASETS.TESTS"
    yield {"resets": {"fast": "weights"}}, "no method reset_weights"


@pytest.mark.parametrize(
    "changes, message", list(mistakes()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_mistakes_are_named(config, changes, message):
    from reidzoo.datasets.wrapper import DatasetWrapper
    from reidzoo.registry import DATASET

    @DATASET.register_module("Tests", force=True)
    class Tests(DatasetWrapper):
        """Offers test images as training images."""

        def scan(self, split):
            return super().scan("gallery" if split == "train" else split)

    with pytest.raises(ConfigError, match=message):
        Pipeline(config(**changes)).train()


def rules_that_cannot_work(tmp_path):
    (tmp_path / "alternation.json").write_text(json.dumps({"switches": [{"to": "slow"}, {"to": "sometimes"}]}))
    constant = {"type": "ConstantThresholds", "start": "slow"}
    unknown = {**constant, "switches": {"slow": [{"measure": "stepz", "above": 1, "next": "fast"}]}}
    yield unknown, "decides by stepz, and SlowAndFast measures steps, images"
    yield {"type": "RecordedActions", "file": str(tmp_path / "nowhere.json")}, "nowhere.json is not a record"
    yield {"type": "RecordedActions", "file": str(tmp_path / "alternation.json")}, "may decide on sometimes"


@pytest.mark.parametrize("number", range(3))
def test_a_rule_that_cannot_work_stops_the_dry_run(config, tmp_path, monkeypatch, number):
    """Not the stage that it decides in, before which others may have trained for hours."""
    monkeypatch.setattr(SlowAndFast, "measures", ("steps", "images"), raising=False)
    rule, message = list(rules_that_cannot_work(tmp_path))[number]
    with pytest.raises(ConfigError, match=message):
        Pipeline(config(rule=rule)).dry_run().findings.raise_if_any()


def test_a_trainer_that_measures_nothing_is_refused(write_config):
    turns = {**ALTERNATION, "turns": {"slow": ["model"], "fast": ["model"]}, "steps": None, "resets": None}
    with pytest.raises(ConfigError, match=r"BaselineTrainer has no validator\(dataset\)"):
        Pipeline(load_config(write_config(HOOKS={"turns": turns}))).train()


def test_a_rule_may_not_decide_on_what_has_no_turns(config, monkeypatch):
    monkeypatch.setattr(EveryThird, "decide", lambda rule, measured: "sometimes")
    with pytest.raises(ConfigError, match="decided on 'sometimes'; turns has slow, fast"):
        Pipeline(config()).train()


def test_lengths_and_names_are_checked_when_it_is_built():
    with pytest.raises(ConfigError, match="give epochs or steps of classifier, not both"):
        AlternationHook(**{**{k: v for k, v in ALTERNATION.items() if k != "type"}, "epochs": {"classifier": 1}})
