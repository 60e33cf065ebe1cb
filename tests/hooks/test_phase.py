from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.errors import ConfigError
from reidzoo.hooks import EpochPhaseHook, IterationPhaseHook, ThresholdPhaseHook
from reidzoo.runs.pipeline import Pipeline


class Runner(SimpleNamespace):
    """Stands for a trainer that has the phases ``model`` and ``discriminator``."""

    def check_phase(self, phase):
        if phase not in ("model", "discriminator"):
            raise ConfigError(f"no phase {phase}")


def phases(hook, epochs=3, length=4):
    runner = Runner(phase="model", epoch=0, metrics={})
    hook.before_train(runner)
    found = []
    for runner.epoch in range(epochs):
        for step in range(length):
            hook.before_train_iter(runner, step)
            found.append(runner.phase[0])
    return "".join(found)


def test_one_phase_an_epoch():
    assert phases(EpochPhaseHook(["discriminator", "model"])) == "ddddmmmmdddd"


def test_phases_by_iteration_start_anew_each_epoch():
    hook = IterationPhaseHook({"discriminator": 1, "model": 2})
    assert phases(hook) == "dmmd" * 3


def test_phases_by_iteration_from_an_epoch_on():
    hook = IterationPhaseHook({"discriminator": 1, "model": 9}, begin_epoch=1)
    assert phases(hook, epochs=2, length=12) == "m" * 12 + "dmmmmmmmmmdm"


def test_every_phase_is_checked_before_training():
    for hook in (
        EpochPhaseHook(["model", "disc"]),
        IterationPhaseHook({"model": 1, "disc": 1}),
        IterationPhaseHook({"model": 1}, begin_epoch=1, before="disc"),
        ThresholdPhaseHook("model", {"model": [{"metric": "a/b", "above": 0, "next": "disc"}]}),
    ):
        with pytest.raises(ConfigError, match="no phase disc"):
            phases(hook)
    assert phases(IterationPhaseHook({"model": 1}, before="disc"), epochs=1) == "mmmm"  # "disc" has no turn


def test_a_cycle_without_steps_is_refused():
    with pytest.raises(ConfigError, match="needs steps"):
        IterationPhaseHook({})


RULES = {
    "model": [{"metric": "val/rank-1", "above": 0.5, "next": "discriminator"}],
    "discriminator": [{"metric": "val/rank-1", "below": 0.3, "next": "model"}],
}


def test_thresholds_switch_both_ways_and_the_history_tells_why():
    hook, runner = ThresholdPhaseHook("model", RULES), Runner(phase="model", epoch=0)
    hook.before_train(runner)
    found = []
    for runner.epoch, value in enumerate([0.4, 0.5, 0.6, 0.4, 0.2, 0.1]):
        hook.before_train_iter(runner, 0)
        found.append(runner.phase[0])
        runner.metrics = {"val": {"rank-1": value}}
        hook.after_train_epoch(runner)
    assert "".join(found) == "mmmddm"
    assert hook.history == [
        {"epoch": 3, "from": "model", "to": "discriminator", "val/rank-1": 0.6},
        {"epoch": 5, "from": "discriminator", "to": "model", "val/rank-1": 0.2},
    ]
    other = ThresholdPhaseHook("model", RULES)
    other.load_state_dict(hook.state_dict())
    assert (other.phase, other.history) == (hook.phase, hook.history)


def test_threshold_on_a_metric_that_nobody_measured():
    hook = ThresholdPhaseHook("model", RULES)
    with pytest.raises(ConfigError, match="EVAL_PERIOD"):
        hook.after_train_epoch(Runner(phase="model", epoch=0, metrics={}))


@pytest.mark.parametrize("rule", [{"metric": "a/b", "next": "model"}, {"above": 1, "next": "model"}])
def test_incomplete_rules_are_refused(rule):
    with pytest.raises(ConfigError, match="above and below"):
        ThresholdPhaseHook("model", {"model": [rule]})


def test_thresholds_see_what_the_evaluation_of_the_same_epoch_found(write_config, tmp_path):
    """In a run, with the hooks in their order: the evaluation before the rules, the log after them."""
    rules = {"model": [{"metric": "Market1501 twin/mAP", "above": 0.0, "next": "model"}]}
    hook = {"type": "ThresholdPhaseHook", "start": "model", "rules": rules}
    path = write_config(HOOKS={"turns": hook}, TEST={"EVAL_PERIOD": 1})
    Pipeline(load_config(path)).train()
    state = torch.load(tmp_path / "run/model_final.pth", weights_only=True)["hooks"]["turns"]
    assert [change["epoch"] for change in state["history"]] == [1, 2]
    assert "evaluation" in (tmp_path / "run/metrics.jsonl").read_text()


@pytest.mark.parametrize("steps", [{"joint": -1, "discriminator": 1}, {"joint": 1.0}, {"joint": "all"}])
def test_steps_that_are_no_numbers_are_refused(steps):
    with pytest.raises(ConfigError, match=r"steps must be .*, got \{'joint'"):
        IterationPhaseHook(steps)
