from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from reidzoo.engine.optim import Optimizer
from reidzoo.errors import ConfigError
from reidzoo.hooks import (
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PolynomialSchedule,
)


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
    assert rates(CosineSchedule(end=0.5), at=(0, 10, 20)) == pytest.approx([2.0, 1.5, 1.0])


def test_cosine_from_an_epoch_on_is_that_of_the_epochs_left():
    expected = [2, 2, 2, 1, 1 + math.cos(math.pi * 0.9)]
    assert rates(CosineSchedule(begin=10)) == pytest.approx(expected)


@pytest.mark.parametrize("power, end, begin", [(0.9, 0.0, 0), (2.0, 0.1, 0), (1.0, 0.2, 10)])
def test_polynomial_is_torchs_at_whole_epochs(power, end, begin):
    optim = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    torchs, expected = torch.optim.lr_scheduler.PolynomialLR(optim, total_iters=20 - begin, power=power), {}
    for epoch in range(begin, 20):
        expected[epoch] = 2 * end + (1 - end) * optim.param_groups[0]["lr"]
        optim.step()
        torchs.step()
    found = rates(PolynomialSchedule(power, begin, end), at=range(20))
    assert found == pytest.approx([2.0] * begin + list(expected.values()))
    if power == 1.0:
        assert found == pytest.approx(rates(LinearSchedule(begin, end), at=range(20)))


def test_one_cycle_is_torchs():
    """torch's rise ends a step early, and so does its fall; both at once shift the curve by two steps at most."""
    steps, optim = 2000, torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(optim, 2.0, total_steps=steps, cycle_momentum=False)
    schedule = OneCycleSchedule()
    for step in range(steps):
        found = 2.0 * schedule.factor(20 * step / steps, 20)
        assert found == pytest.approx(optim.param_groups[0]["lr"], abs=2 * 2.0 * math.pi / (0.3 * steps)), step
        optim.step()
        torchs.step()
    assert schedule.factor(0, 20) == pytest.approx(0.04) and schedule.factor(6, 20) == 1.0
    assert schedule.factor(20, 20) == pytest.approx(4e-6)
    assert OneCycleSchedule(rise=0.0).factor(0, 20) == 1.0 and OneCycleSchedule(rise=1.0).factor(20, 20) == 1.0


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
