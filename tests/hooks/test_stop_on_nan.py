from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.hooks import StopOnNaNHook

RUNNER = SimpleNamespace(iter=12, epoch=1, phase="model", output_dir="run")


def test_numbers_pass():
    StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(1.0), "triplet": torch.tensor(0.0)})
    StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_loss_and_the_iteration_are_named(value):
    with pytest.raises(UserError, match=r"triplet = (nan|inf) at iteration 12"):
        StopOnNaNHook().after_train_iter(RUNNER, 0, outputs={"id": torch.tensor(1.0), "triplet": torch.tensor(value)})
