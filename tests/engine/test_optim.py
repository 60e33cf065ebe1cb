from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.engine.optim import Optimizer, build_optimizers
from reidzoo.errors import ConfigError


def parts():
    torch.manual_seed(0)
    return nn.ModuleDict({"model": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "disc": nn.Linear(2, 1)})


def test_minimize_moves_its_own_parameters_only():
    modules = parts()
    optims = build_optimizers({"model": {"type": "SGD", "lr": 0.1}, "disc": {"type": "SGD", "lr": 0.1}}, modules, 0.0)
    before = {key: value.clone() for key, value in modules.state_dict().items()}
    loss = modules["disc"](modules["model"](torch.ones(3, 2))).sum()
    optims["model"].minimize(loss)
    for key, value in modules.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("disc"), key
    assert all(p.grad is None for p in modules.parameters())


def test_lr_mult_and_params():
    node = {"type": "Adam", "lr": 1.0, "params": ["model", "disc"], "lr_mult": {"model.0": 0.1}}
    optim = build_optimizers({"all": node}, parts(), 0.0)["all"]
    assert sorted(group["lr"] for group in optim.torch.param_groups) == [0.1, 1.0]
    optim.scale_lr(0.5)
    assert sorted(group["lr"] for group in optim.torch.param_groups) == [0.05, 0.5]
    assert len(optim.parameters) == 6


@pytest.mark.parametrize(
    "node, message",
    [
        ({"type": "Adamm", "lr": 1}, "torch.optim has no 'Adamm'"),
        ({"type": "Adam"}, "learning rate"),
        ({"type": "Adam", "lr": 1, "momentum": 0.9}, "momentum"),
        ({"type": "Adam", "lr": 1, "params": ["head"]}, "nothing to train is called 'head'"),
        ({"type": "Adam", "lr": 1, "lr_mult": {"model.9": 2}}, "model.9"),
    ],
)
def test_mistakes_are_named(node, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizers({"model": node}, parts(), 0.0)


def test_dotted_type():
    assert isinstance(build_optimizers({"model": {"type": "torch.optim.RAdam", "lr": 1}}, parts(), 0)["model"].torch,
                      torch.optim.RAdam)  # fmt: skip


def test_gradient_clipping():
    weight = nn.Parameter(torch.zeros(4))
    Optimizer(torch.optim.SGD([weight], lr=1.0), grad_clip=0.5).minimize((weight * 100).sum())
    assert weight.norm().item() == pytest.approx(0.5)


def test_take_over_keeps_the_moments_of_what_stayed():
    old, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    before = Optimizer(torch.optim.Adam([old, other], lr=0.1))
    before.minimize((old + other).sum())
    new = nn.Parameter(torch.zeros(3))
    optim = Optimizer(torch.optim.Adam([new, other], lr=0.1))
    optim.take_over(before)
    optim.minimize(new.sum() + other.sum())
    assert set(optim.torch.state) == {new, other}
    assert optim.torch.state[new]["step"] == 1 and optim.torch.state[other]["step"] == 2
