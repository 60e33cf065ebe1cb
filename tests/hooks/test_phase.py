from __future__ import annotations

from types import SimpleNamespace

import pytest

from reidzoo.errors import ConfigError
from reidzoo.hooks import EpochPhaseHook, IterationPhaseHook


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
    ):
        with pytest.raises(ConfigError, match="no phase disc"):
            phases(hook)
    assert phases(IterationPhaseHook({"model": 1}, before="disc"), epochs=1) == "mmmm"  # "disc" has no turn


def test_a_cycle_without_steps_is_refused():
    with pytest.raises(ConfigError, match="needs steps"):
        IterationPhaseHook({})


@pytest.mark.parametrize("steps", [{"joint": -1, "discriminator": 1}, {"joint": 1.0}, {"joint": "all"}])
def test_steps_that_are_no_numbers_are_refused(steps):
    with pytest.raises(ConfigError, match=r"steps must be .*, got \{'joint'"):
        IterationPhaseHook(steps)
