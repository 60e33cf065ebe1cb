"""The plateau schedule against torch's, over figures that are given."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.engine.optim import Optimizer
from reidzoo.errors import ConfigError
from reidzoo.hooks import PlateauSchedule

LOSSES = [3.0, 2.0, 2.0, 2.1, 1.99999, 2.5, 1.0, 1.2, 1.1, 1.3, 1.0]


def runner_of(lr=0.2, validates=("loss",)):
    optim = Optimizer(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr))
    hooks, loader = {"measures": SimpleNamespace(validates=validates)}, SimpleNamespace(length=3)
    return SimpleNamespace(optims={"model": optim}, loader=loader, max_epochs=11, epoch=0, hooks=hooks, metrics={})


@pytest.mark.parametrize("figure, sign", [("loss", 1), ("mAP", -1)])
@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 0, "cooldown": 2},
        {"patience": 1, "least": 0.3},
        {"patience": 0, "threshold": 0.01},
    ],
)
def test_it_is_torchs_also_when_it_goes_on_from_a_checkpoint(figure, sign, options):
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        plain, "min" if sign > 0 else "max", factor=0.5, patience=options["patience"],
        cooldown=options.get("cooldown", 0), min_lr=0.2 * options.get("least", 0),
        threshold=options.get("threshold", 1e-4),
    )  # fmt: skip
    run, schedule, expected = runner_of(validates=("mAP", "loss")), PlateauSchedule(figure, gamma=0.5, **options), []
    schedule.before_train(run)
    for run.epoch, loss in enumerate(LOSSES):
        schedule.before_train_iter(run, 0)
        assert run.optims["model"].lr == pytest.approx(plain.param_groups[0]["lr"])
        expected.append(run.optims["model"].lr)
        torchs.step(sign * loss)
        run.metrics = {"Market1501": {figure: -100.0 * loss}, "validation": {figure: sign * loss, "other": 0.0}}
        schedule.after_train_epoch(run)
        schedule.after_train_epoch(run)  # what is there since the last epoch is no new measurement
        resumed = PlateauSchedule(figure, gamma=0.5, **options)
        resumed.load_state_dict(schedule.state_dict())
        schedule = resumed
        run.metrics = {}  # as the log leaves it
    assert len(set(expected)) > 1


@pytest.mark.parametrize("figure, mode, falls", [("loss", "", True), ("loss", "max", False), ("mAP", "min", True)])
def test_the_mode_says_which_figures_are_better(figure, mode, falls):
    run, schedule = runner_of(validates=("mAP", "loss")), PlateauSchedule(figure, mode, patience=0)
    for value in (1.0, 2.0, 3.0):
        run.metrics = {"validation": {figure: value}}
        schedule.after_train_epoch(run)
    assert (schedule.factor(3, 11) < 1) == falls


def test_an_epoch_without_a_measurement_changes_nothing():
    run, schedule = runner_of(), PlateauSchedule(patience=0)
    for run.metrics in ({}, {"Market1501": {"loss": 1.0}}, {"validation": {"mAP": 1.0}}):
        schedule.after_train_epoch(run)
    assert schedule.figures == [] and schedule.factor(3, 11) == 1.0


def test_a_figure_that_nobody_measures_is_named_before_the_training():
    with pytest.raises(ConfigError, match="the validation set's mAP, which no hook measures; measured are loss"):
        PlateauSchedule("mAP").rehearse(runner_of())
    with pytest.raises(ConfigError, match="none measures anything"):
        PlateauSchedule().before_train(runner_of(validates=()))
