"""Layer-wise decay: the factors of a ViT are timm's, and BEiT's but for the last norm; a ResNet's follow its blocks."""

from __future__ import annotations

import pytest
from torch import nn

from reidzoo.backbones import ResNet
from reidzoo.engine.layer_decay import layer_factors, parameter_layers
from reidzoo.engine.optim import build_optimizers
from reidzoo.errors import ConfigError
from reidzoo.models import Embedder


def parts_of(backbone):
    return nn.ModuleDict({"model": Embedder(backbone, {"type": "BNNeck"}, num_classes=3)})


def beit(key, depth, decay):
    """BEiT's rule: embeddings are layer 0, block i is layer i + 1, what follows is layer depth + 1."""
    inner = key.removeprefix("model.backbone.net.")
    if inner.startswith(("cls_token", "pos_embed", "patch_embed")):
        layer = 0
    elif inner.startswith("blocks."):
        layer = int(inner.split(".")[1]) + 1
    elif inner.startswith("norm."):
        layer = depth  # timm counts the last norm to the last block
    else:
        layer = depth + 1
    return decay ** (depth + 1 - layer)


def test_a_vits_factors_are_beits():
    pytest.importorskip("timm")
    parts = parts_of({"type": "TimmBackbone", "name": "test_vit", "options": {"depth": 3}})
    keys = [key for key, _ in parts.named_parameters()]
    found = layer_factors("x", 0.75, keys, parts)
    assert found == pytest.approx({key: beit(key, 3, 0.75) for key in keys})
    assert found["model.head.classifier.weight"] == 1 and found["model.backbone.net.cls_token"] == 0.75**4


def test_timms_own_groups_agree():
    timm = pytest.importorskip("timm")
    from timm.optim import param_groups_layer_decay

    net = timm.create_model("test_vit", num_classes=3)
    scales = {
        id(p): group["lr_scale"] for group in param_groups_layer_decay(net, layer_decay=0.8) for p in group["params"]
    }
    parts = parts_of({"type": "TimmBackbone", "name": "test_vit"})
    found = layer_factors("x", 0.8, [key for key, _ in parts.named_parameters()], parts)
    for name, parameter in net.named_parameters():
        if not name.startswith("head."):
            assert found[f"model.backbone.net.{name}"] == pytest.approx(scales[id(parameter)])


def test_a_resnets_layers_are_its_blocks():
    layers = parameter_layers(ResNet(depth=18, width=4))
    assert [layers[name] for name in ("conv1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer1.1.bn2.bias")] == [
        0, 0, 1, 2,
    ]  # fmt: skip
    assert layers["layer4.1.conv2.weight"] == 8 == max(layers.values())


def test_every_parameter_of_our_backbones_has_a_layer():
    for node in ({"type": "OSNet", "width": 0.25}, {"type": "VGG", "width": 4}, {"type": "MobileNetV2", "width": 0.1}):
        backbone = parts_of(node)["model"].backbone
        layers = parameter_layers(backbone)
        assert layers.keys() == {name for name, _ in backbone.named_parameters()}
        assert sorted(set(layers.values())) == list(range(max(layers.values()) + 1)) and max(layers.values()) > 5


def test_the_optimizer_moves_each_layer_at_its_rate():
    parts = parts_of({"type": "ResNet", "depth": 18, "width": 4})
    nodes = {"model": {"type": "SGD", "lr": 1.0, "layer_decay": 0.5, "lr_mult": {"model.head": 10.0}}}
    optimizer = build_optimizers(nodes, parts, 0.0)["model"]
    before = {key: parameter.detach().clone() for key, parameter in parts.named_parameters()}
    optimizer.minimize(sum(parameter.sum() for parameter in parts.parameters() if parameter.requires_grad))
    moved = {key: (before[key] - parameter).mean().item() for key, parameter in parts.named_parameters()}
    assert moved["model.backbone.conv1.weight"] == pytest.approx(0.5**9, rel=1e-2)
    assert moved["model.backbone.layer4.1.conv2.weight"] == pytest.approx(0.5)
    assert moved["model.head.classifier.weight"] == pytest.approx(10.0)
    assert optimizer.torch.param_groups[0]["lr"] == 0.5**9 and len(optimizer.torch.param_groups) == 10


def test_without_a_backbone_it_is_refused():
    parts = nn.ModuleDict({"model": nn.Linear(2, 2)})
    with pytest.raises(ConfigError, match=r"OPTIMIZERS.model: layer_decay is about a backbone's layers"):
        build_optimizers({"model": {"type": "SGD", "lr": 0.1, "layer_decay": 0.5}}, parts, 0.0)
    assert build_optimizers({"model": {"type": "SGD", "lr": 0.1, "layer_decay": 1}}, parts, 0.0)
