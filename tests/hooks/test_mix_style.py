"""MixStyle on the layers of a backbone: when it mixes, with whom, and what is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reidzoo.backbones import ResNet
from reidzoo.config import get_cfg
from reidzoo.errors import ConfigError
from reidzoo.hooks import MixStyleHook
from reidzoo.registry import BACKBONE


@pytest.fixture
def runner():
    model = nn.ModuleDict({"backbone": ResNet(18, width=4)})
    return SimpleNamespace(parts=nn.ModuleDict({"model": model}), model=model, epoch=0, cfg=get_cfg())


def test_it_mixes_in_training_mode_alone_and_draws_by_step(runner):
    images, backbone = torch.randn(6, 3, 64, 32), runner.model["backbone"]
    for norm in (m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 0.0  # or the passes would differ by the statistics
    plain, hook = backbone.train()(images), MixStyleHook(["backbone.layer1"], p=1.0)
    hook.before_train(runner)
    hook.before_train(runner)  # again, as when a run is resumed
    found = []
    for epoch, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
        runner.epoch = epoch
        hook.before_train_iter(runner, step)
        found.append(backbone(images))
    assert torch.equal(found[0], found[3]) and not torch.equal(found[0], plain)
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[0], found[2])
    assert len(backbone.layer1._forward_hooks) == 1 and "mix" not in " ".join(runner.model.state_dict())
    mixed = backbone.eval()(images)
    hook.after_train(runner)
    assert torch.equal(backbone(images), mixed) and torch.equal(backbone.train()(images), plain)


SWIN = {"type": "TimmBackbone", "name": "swin_tiny_patch4_window7_224"}
SLIM = {"depths": [1, 1, 1, 1], "embed_dim": 24, "num_heads": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    "layer", ["net.layers.0", "net.patch_embed.proj", pytest.param("features.1", marks=pytest.mark.slow)]
)
def test_channels_are_mixed_wherever_they_are(runner, layer):
    node = {"type": "TorchvisionBackbone", "name": "swin_t"} if layer == "features.1" else {**SWIN, "options": SLIM}
    backbone = runner.model["backbone"] = BACKBONE.build(node)
    maps = []
    backbone.get_submodule(layer).register_forward_hook(lambda *call: maps.append(call[2]))
    hook = MixStyleHook([f"backbone.{layer}"], p=1.0)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    backbone.get_submodule(layer).register_forward_hook(lambda *call: maps.append(call[2]))
    with torch.no_grad():
        backbone.train()(torch.randn(4, 3, 64, 32))
    pixels = (2, 3) if layer.endswith("proj") else (1, 2)
    plain, mixed = ((each - each.mean(pixels, keepdim=True)) / each.std(pixels, keepdim=True) for each in maps)
    assert not torch.allclose(*maps)
    torch.testing.assert_close(plain, mixed, atol=1e-3, rtol=1e-3)


def test_p_is_the_share_of_batches(runner, monkeypatch):
    import reidzoo.hooks.mix_style as module

    mixed = []
    monkeypatch.setattr(module, "mix_style", lambda output, partners, weights: mixed.append(partners) or output)
    hook = MixStyleHook(["backbone.layer1", "backbone.layer2"], p=0.25)
    hook.before_train(runner)
    for step in range(100):
        hook.before_train_iter(runner, step)
        runner.model["backbone"].train()(torch.zeros(2, 3, 32, 16))
    assert 30 < len(mixed) < 70
    assert {tuple(partners) for partners in mixed} == {(0, 1), (1, 0)}


def test_layers_part_and_alpha(runner, monkeypatch):
    """A great alpha mixes halves, a small one takes one image's statistics or the other's."""
    import reidzoo.hooks.mix_style as module

    mixed = []
    monkeypatch.setattr(module, "mix_style", lambda output, _, weights: mixed.append((output, weights)) or output)
    runner.parts["other"] = nn.ModuleDict({"backbone": ResNet(18, width=8)})
    for alpha, part, layer, shape in ((100.0, "model", "layer2", (8, 4, 2)), (0.01, "other", "layer1", (8, 8, 4))):
        hook = MixStyleHook([f"backbone.{layer}"], part=part, p=1.0, alpha=alpha)
        hook.before_train(runner)
        hook.before_train_iter(runner, 0)
        runner.parts[part]["backbone"].train()(torch.zeros(20, 3, 32, 16))
        ((output, weights),) = mixed
        assert tuple(output.shape[1:]) == shape
        assert (abs(weights - 0.5).max() < 0.3) if alpha > 1 else ((abs(weights - 0.5) > 0.4).mean() > 0.7)
        hook.after_train(runner)
        mixed.clear()


@pytest.mark.parametrize("count", [6, 7])
def test_crossed_partners_are_of_the_other_half(runner, count):
    hook = MixStyleHook(partners="crossed")
    hook.before_train_iter(runner, 0)
    partners = hook._partners(hook._rng, count)
    half = count // 2
    assert sorted(partners) == list(range(count))
    assert all(partner >= half for partner in partners[:half]) and all(partner < half for partner in partners[-half:])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"layers": ["backbone.layer9"]},
            "'backbone.layer9' names nothing in part model; there are ",
        ),
        ({"part": "teacher"}, "no part 'teacher'; there are model"),
    ],
)
def test_mistakes_are_named(runner, arguments, message):
    with pytest.raises(ConfigError, match=message):
        MixStyleHook(**arguments).rehearse(runner)


@pytest.mark.parametrize("key, value", [("COMPILE", "graph"), ("RECOMPUTE", True), ("CHUNK", 8)])
def test_what_calls_a_layer_otherwise_is_refused(runner, key, value):
    runner.cfg.SOLVER[key] = value
    with pytest.raises(ConfigError, match=f"SOLVER.{key} is set"):
        MixStyleHook().before_train(runner)
