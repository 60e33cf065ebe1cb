from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reidzoo.backbones import ResNet
from reidzoo.engine.optim import build_optimizers
from reidzoo.errors import ConfigError
from reidzoo.hooks import FreezeHook
from reidzoo.models import convert_batch_norm

ECN = ["conv1", "bn1", "layer1", "layer2"]


def runner(depth=50):
    model = convert_batch_norm(ResNet(depth, width=4))
    return SimpleNamespace(parts=nn.ModuleDict({"model": model}), model=model, epoch=0)


def take_a_step(run, hook):
    optim = build_optimizers({"model": {"type": "SGD", "lr": 0.1, "weight_decay": 0.1}}, run.parts, 0.0)["model"]
    hook.before_train(run)
    run.parts.train()
    hook.before_train_iter(run, 0)
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    optim.minimize(run.model(torch.randn(4, 3, 32, 16)).square().mean())
    return {key for key, value in run.model.state_dict().items() if not torch.equal(value, before[key])}


def frozen(key):
    return key.split(".")[0] in ECN


def test_weights_and_statistics_stay():
    moved = take_a_step(runner(), FreezeHook(ECN))
    assert not any(frozen(key) for key in moved)
    assert {"layer3.0.conv1.weight", "layer3.0.bn1.weight", "layer3.0.bn1.running_mean"} <= moved


def test_the_authors_quirk_leaves_two_of_24_norms_moving():
    run = runner()
    hook = FreezeHook(ECN, moving_norms=["*.downsample.*"])
    moved = take_a_step(run, hook)
    norms = [m for top in hook.frozen for m in top.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 24 and sum(norm.training for norm in norms) == 2
    statistics = {f"layer{n}.0.downsample.1.{what}" for n in (1, 2) for what in ("running_mean", "running_var")}
    assert {key for key in moved if frozen(key) and "num_batches" not in key} == statistics


def test_patterns():
    moved = take_a_step(runner(18), FreezeHook(["layer[12]", "conv*", "bn1"]))
    assert not any(frozen(key) for key in moved)


def test_it_holds_after_an_evaluation():
    run, hook = runner(18), FreezeHook(ECN)
    hook.before_train(run)
    run.parts.train()
    hook.before_train_iter(run, 1)
    assert not run.model.bn1.training and run.model.layer3[0].bn1.training


def test_from_an_epoch_on():
    run, hook = runner(18), FreezeHook(ECN, begin_epoch=2)
    optim = build_optimizers({"model": {"type": "SGD", "lr": 0.1, "momentum": 0.9}}, run.parts, 0.0)["model"]
    hook.before_train(run)
    for run.epoch in range(4):
        before = {key: value.clone() for key, value in run.model.state_dict().items()}
        hook.before_train_epoch(run)
        run.parts.train()
        hook.before_train_iter(run, 0)
        optim.minimize(run.model(torch.randn(4, 3, 32, 16)).square().mean())
        moved = {key for key, value in run.model.state_dict().items() if not torch.equal(value, before[key])}
        assert {"layer1.0.conv1.weight", "bn1.running_mean"} <= moved or run.epoch >= 2
        assert not any(frozen(key) for key in moved) or run.epoch < 2  # no momentum carries them on, either


def test_resumed_in_the_middle_of_a_frozen_epoch():
    run, hook = runner(18), FreezeHook(ECN, begin_epoch=2)
    run.epoch = 2
    moved = take_a_step(run, hook)  # without before_train_epoch
    assert moved and not any(frozen(key) for key in moved)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"modules": []}, "list of modules"),
        ({"modules": "layer1"}, "list of modules"),
        ({"modules": ["layer9"]}, "'layer9' names nothing"),
        ({"modules": ["layer1"], "moving_norms": ["*.dwonsample.*"]}, "moving_norms"),
        ({"modules": ["layer1"], "part": "teacher"}, "no part 'teacher'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        FreezeHook(**arguments).before_train(runner(18))


def test_until_an_epoch_and_then_as_before():
    run, hook = runner(18), FreezeHook(["layer1", "bn1"], end_epoch=2)
    run.model.layer1[0].conv1.weight.requires_grad_(False)  # which nobody trains, say a neck's bias
    optim = build_optimizers({"model": {"type": "SGD", "lr": 0.1}}, run.parts, 0.0)["model"]
    run.parts.train()
    hook.before_train(run)
    for run.epoch in range(3):
        before = {key: value.clone() for key, value in run.model.state_dict().items()}
        hook.before_train_epoch(run)
        hook.before_train_iter(run, 0)
        optim.minimize(run.model(torch.randn(4, 3, 32, 16)).square().mean())
        moved = {key for key, value in run.model.state_dict().items() if not torch.equal(value, before[key])}
        wanted = {"layer1.1.conv1.weight", "bn1.weight", "bn1.running_mean", "layer1.1.bn1.running_var"}
        assert (wanted <= moved) if run.epoch == 2 else not (wanted & moved)
        assert "conv1.weight" in moved and "layer1.0.conv1.weight" not in moved
    resumed = FreezeHook(["layer1", "bn1"], end_epoch=2)
    resumed.before_train(run)  # in a later epoch
    resumed.before_train_iter(run, 1)
    assert run.model.bn1.training and run.model.bn1.weight.requires_grad


def test_it_ends_after_it_begins():
    with pytest.raises(ConfigError, match="end_epoch 2 is not after begin_epoch 2"):
        FreezeHook(["layer1"], begin_epoch=2, end_epoch=2)
