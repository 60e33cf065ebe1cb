"""torch's schedulers, driven as torch drives them."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch.optim import lr_scheduler

from reidzoo.engine.optim import Optimizer
from reidzoo.errors import ConfigError
from reidzoo.hooks import TorchSchedule, build_hooks
from reidzoo.testing import check_hook

LENGTH, EPOCHS = 4, 5
NODES = [
    {"type": "StepLR", "step_size": 2},
    {"type": "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts", "t_0": 3, "eta_min": 0.01},
    {"type": "CosineAnnealingLR", "T_max": 3},  # which goes from one rate to the next
    {"type": "OneCycleLR", "max_lr": [0.4, 0.04], "total_steps": LENGTH * EPOCHS},
    {"type": "CyclicLR", "base_lr": 0.001, "max_lr": 0.1, "step_size_up": 3, "mode": "triangular2"},
    {
        "type": "SequentialLR", "milestones": [4],
        "schedulers": [{"type": "LinearLR", "total_iters": 4}, {"type": "ExponentialLR", "gamma": 0.9}],
    },
    {"type": "ChainedScheduler", "schedulers": [{"type": "ConstantLR"}, {"type": "PolynomialLR", "total_iters": 9}]},
]  # fmt: skip


def optimizer():
    """Return an optimizer of two groups, of 0.1 and 0.01."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    return torch.optim.SGD([{"params": [w], "lr": lr} for w, lr in zip(weights, (0.1, 0.01))], momentum=0.9)


def runner_of(optim):
    counts = {"max_epochs": EPOCHS, "epoch": 0, "iter": 0}
    return SimpleNamespace(
        optims={"model": Optimizer(optim)}, loader=SimpleNamespace(length=LENGTH), hooks={}, **counts
    )


def settings(optim):
    return [(group["lr"], group["momentum"]) for group in optim.param_groups]


def built(node, optim):
    arguments = {{"t_0": "T_0"}.get(key, key): value for key, value in node.items() if key != "type"}
    if "schedulers" in arguments:
        arguments["schedulers"] = [built(inner, optim) for inner in arguments["schedulers"]]
    return getattr(lr_scheduler, node["type"].rpartition(".")[2])(optimizer=optim, **arguments)


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("node", NODES, ids=[node["type"].rpartition(".")[2] for node in NODES])
def test_it_sets_what_torch_sets_and_goes_on_anywhere_as_if_it_had_come_all_the_way(node, interval):
    if "total_steps" in node and interval == "epoch":
        node = {**node, "total_steps": EPOCHS}
    optim, expected = optimizer(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = built(node, optim)
        for step in range(LENGTH * EPOCHS):
            expected.append(settings(optim))
            optim.step()
            if interval == "step" or step % LENGTH == LENGTH - 1:
                scheduler.step()
    for start in (0, 7, LENGTH * EPOCHS - 1):
        run, schedule = runner_of(optimizer()), TorchSchedule(node, interval)
        schedule.before_train(run)
        for run.iter in range(start, LENGTH * EPOCHS):
            run.epoch, within = divmod(run.iter, LENGTH)
            schedule.before_train_iter(run, within)
            assert settings(run.optims["model"].torch) == expected[run.iter], run.iter
    assert len({tuple(each) for each in expected}) > 2


def test_the_warm_up_is_on_the_rate_alone_and_new_optimizers_are_followed():
    run, schedule = runner_of(optimizer()), TorchSchedule({"type": "StepLR", "step_size": 1}, warmup_epochs=2)
    run.epoch = 1
    schedule.before_train_iter(run, 0)
    assert settings(run.optims["model"].torch) == [
        (pytest.approx(0.01 * 0.505), 0.9),
        (pytest.approx(1e-3 * 0.505), 0.9),
    ]
    weight = torch.nn.Parameter(torch.zeros(1))
    run.optims["model"], run.epoch = Optimizer(torch.optim.Adam([weight], lr=1.0)), 3
    schedule.before_train_iter(run, 0)
    assert run.optims["model"].lr == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "node, message",
    [
        ({"type": "Steplr"}, "'Steplr' is not a scheduler; torch has ChainedScheduler, ConstantLR"),
        ({"type": "LRScheduler"}, "is not a scheduler"),
        ({"type": "torch.nn.Linear"}, "is not a scheduler"),
        ({"type": "ReduceLROnPlateau"}, "PlateauSchedule"),
    ],
)
def test_what_is_no_scheduler_is_said_so(node, message):
    with pytest.raises(ConfigError, match=message):
        TorchSchedule(node)


@pytest.mark.parametrize(
    "node, message",
    [
        ({"type": "StepLR"}, r"StepLR\(.*model.*with these arguments.*step_size"),
        ({"type": "StepLR", "step_size": 0}, "with these arguments|after 0|after 1"),
        ({"type": "OneCycleLR", "max_lr": 1.0, "total_steps": 2}, "after 2 of 4 steps.*number of total steps is 2"),
    ],
)
def test_arguments_are_tried_before_the_training(node, message):
    with pytest.raises(ConfigError, match=message):
        TorchSchedule(node).rehearse(runner_of(optimizer()))


def test_a_dotted_name_in_a_hooks_place_is_adapted():
    hook = build_hooks({"schedule": {"type": "torch.optim.lr_scheduler.StepLR", "step_size": 2}})["schedule"]
    assert isinstance(hook, TorchSchedule)
    assert hook.scheduler == {"type": "torch.optim.lr_scheduler.StepLR", "step_size": 2}


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_the_contract_of_a_hook_is_kept(interval):
    check_hook({"type": "TorchSchedule", "scheduler": {"type": "ExponentialLR", "gamma": 0.5}, "interval": interval})
