"""When a figure is measured, which epoch is the best, and what a resumed run knows of it, by figures that are given."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reidzoo.hooks.best_weights import BestWeightsHook


class Scripted(BestWeightsHook):
    """Measures what it is given, one figure after another."""

    def __init__(self, *script, smaller=True, **options):
        super().__init__(None, **{"patience": 0, **options})
        self.script, self.smaller = list(script), smaller

    def measure(self, runner):
        return {"loss": self.script.pop(0)}


def runner_of(epochs):
    model = nn.Linear(1, 1)
    named = {"parts": {"model": model}, "sets": {}, "hooks": {}, "metrics": {}}
    return SimpleNamespace(model=model, epoch=0, max_epochs=epochs, **named)


def train(hook, runner, weights):
    """Take an epoch for each of ``weights``, to which the model is set in it."""
    hook.before_train(runner)
    for weight in weights:
        nn.init.constant_(runner.model.weight, weight)
        hook.after_train_epoch(runner)
        runner.epoch += 1


@pytest.mark.parametrize(
    "epochs, options, measured",
    [
        (4, {}, [1, 2, 3, 4]),
        (5, {"period": 2}, [2, 4, 5]),
        (6, {"period": 2, "begin_epoch": 1}, [3, 5, 6]),
        (6, {"period": 3, "begin_epoch": 2}, [5, 6]),
        (3, {"begin_epoch": 3}, []),
    ],
)
def test_every_so_many_epochs_after_the_first_and_the_last(epochs, options, measured):
    hook = Scripted(*range(epochs), **options)
    train(hook, runner_of(epochs), range(epochs))
    assert hook.epochs == measured


@pytest.mark.parametrize("smaller", [True, False])
def test_of_epochs_that_are_equally_good_the_first_is_kept(smaller):
    runner, sign = runner_of(4), 1 if smaller else -1
    train(Scripted(*(sign * value for value in (3.0, 1.0, 1.0, 2.0)), smaller=smaller), runner, (10, 20, 30, 40))
    assert runner.model.weight.item() == 20 and runner.metrics["validation"]["kept_epoch"] == 2


@pytest.mark.parametrize("weights, untrained", [((0, 10, 20), 1), ((5, 10, 20), 0)])
def test_a_run_resumed_after_any_epoch_knows_what_it_began_with(weights, untrained):
    runner, script = runner_of(3), [1.0, 3.0, 2.0]
    nn.init.constant_(runner.model.weight, 0)
    hook = Scripted(*script)
    for number, weight in enumerate(weights):
        train(hook, runner, [weight])
        state, hook = copy.deepcopy(hook.state_dict()), Scripted(*script[number + 1 :])
        hook.load_state_dict(state)
    found = {"loss": 2.0, "best_loss": 1.0, "kept_epoch": 1, "untrained": untrained}
    assert runner.metrics["validation"] == found and torch.equal(runner.model.weight, torch.full((1, 1), weights[0]))
