from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from reidzoo.engine.optim import Optimizer
from reidzoo.errors import ConfigError
from reidzoo.hooks import ConstantSchedule, CosineSchedule, LinearSchedule, MultiStepSchedule


def rates(schedule, epochs=20, length=10, at=(0, 5, 10, 15, 19)):
    """Return the learning rate, configured as 2, at the first step of each epoch in ``at``."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optim = Optimizer(torch.optim.SGD([parameter], lr=2.0))
    runner = SimpleNamespace(optims={"model": optim}, loader=SimpleNamespace(length=length), max_epochs=epochs, epoch=0)
    schedule.before_train(runner)
    found = []
    for epoch in at:
        runner.epoch = epoch
        schedule.before_train_iter(runner, 0)
        found.append(optim.lr)
    return found


def test_multi_step():
    assert rates(MultiStepSchedule([10, 15])) == pytest.approx([2, 2, 0.2, 0.02, 0.02])


def test_constant():
    assert rates(ConstantSchedule()) == [2.0] * 5


def test_cosine():
    expected = [1 + math.cos(math.pi * epoch / 20) for epoch in (0, 5, 10, 15, 19)]
    assert rates(CosineSchedule()) == pytest.approx(expected)
    assert rates(CosineSchedule(end=0.5), at=(0,)) == [2.0]


def test_linear_from_an_epoch_on():
    assert rates(LinearSchedule(begin=10)) == pytest.approx([2, 2, 2, 1, 0.2])


def test_warm_up_grows_linearly_and_within_an_epoch():
    assert rates(ConstantSchedule(warmup_epochs=10, warmup_factor=0.01), at=(0, 5, 10)) == pytest.approx(
        [0.02, 1.01, 2]
    )
    schedule = ConstantSchedule(warmup_epochs=1, warmup_factor=0.0)
    optim = Optimizer(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
    runner = SimpleNamespace(optims={"model": optim}, loader=SimpleNamespace(length=4), max_epochs=2, epoch=0)
    schedule.before_train_iter(runner, 3)
    assert optim.lr == pytest.approx(0.75)


def test_unknown_optimizer_is_named():
    with pytest.raises(ConfigError, match=r"disc.*model"):
        rates(ConstantSchedule(optimizers=["disc"]))


def test_only_the_named_optimizers_are_scheduled():
    optims = {n: Optimizer(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)) for n in ("model", "disc")}
    runner = SimpleNamespace(optims=optims, loader=SimpleNamespace(length=1), max_epochs=2, epoch=1)
    MultiStepSchedule([1], optimizers=["disc"]).before_train_iter(runner, 0)
    assert (optims["model"].lr, optims["disc"].lr) == pytest.approx((1.0, 0.1))
