from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.hooks import StopOnNaNHook, stop_on_nan

RUNNER = SimpleNamespace(iter=12, epoch=1, phase="model", output_dir="run")


def test_numbers_pass():
    StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(1.0), "triplet": torch.tensor(0.0)})
    StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_loss_and_the_iteration_are_named(value):
    with pytest.raises(UserError, match=r"triplet = (nan|inf) at iteration 12"):
        StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(1.0), "triplet": torch.tensor(value)})


def test_on_an_accelerator_a_step_is_looked_at_after_the_next_one(monkeypatch):
    monkeypatch.setattr(stop_on_nan, "_is_late", lambda outputs: True)
    hook = StopOnNaNHook()
    hook.after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(torch.nan)})
    with pytest.raises(UserError, match=r"id = nan at iteration 12"):
        hook.after_train_iter(SimpleNamespace(**{**vars(RUNNER), "iter": 13}), 1, outputs={"id": torch.tensor(1.0)})


@pytest.mark.parametrize("event", ["after_train_epoch", "state_dict"])
def test_nothing_is_evaluated_or_saved_after_it(monkeypatch, event):
    monkeypatch.setattr(stop_on_nan, "_is_late", lambda outputs: True)
    hook = StopOnNaNHook()
    hook.after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(torch.nan)})
    with pytest.raises(UserError, match=r"id = nan at iteration 12"):
        getattr(hook, event)(*[RUNNER][: event == "after_train_epoch"])
