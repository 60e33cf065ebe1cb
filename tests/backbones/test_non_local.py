"""The non-local block against its formula, and its places in a ResNet."""

from __future__ import annotations

import pytest
import torch

from reidzoo.backbones.non_local import NonLocal
from reidzoo.backbones.resnet import ResNet
from reidzoo.errors import ConfigError


def slow(block, maps):
    """Eq. 6 of the paper, place by place."""
    batch, _, height, width = maps.shape
    theta, phi, g = (getattr(block, name)(maps).flatten(2) for name in ("theta", "phi", "g"))
    drawn = torch.zeros_like(g)
    for i in range(height * width):
        for j in range(height * width):
            weight = (theta[:, :, i] * phi[:, :, j]).sum(1) / (height * width)
            drawn[:, :, i] += weight[:, None] * g[:, :, j]
    return maps + block.W(drawn.reshape(batch, -1, height, width))


@pytest.mark.parametrize("hidden", [1, 3])
def test_formula(hidden):
    torch.manual_seed(0)
    block = NonLocal(6, hidden).double().eval()
    torch.nn.init.normal_(block.W[1].weight)
    torch.nn.init.normal_(block.W[1].running_mean)
    maps = torch.randn(2, 6, 4, 3, dtype=torch.float64)
    assert not torch.allclose(block(maps), maps, atol=1e-2)
    torch.testing.assert_close(block(maps), slow(block, maps))
    torch.autograd.gradcheck(block, maps.requires_grad_())


@pytest.mark.parametrize("training", [True, False])
def test_a_new_block_changes_nothing(training):
    torch.manual_seed(0)
    maps = torch.randn(2, 8, 4, 3)
    torch.testing.assert_close(NonLocal(8).train(training)(maps), maps)


def test_it_keeps_channels_last_values():
    torch.manual_seed(0)
    block = NonLocal(8, 2).eval()
    torch.nn.init.ones_(block.W[1].weight)
    maps = torch.randn(2, 8, 5, 3)
    torch.testing.assert_close(block(maps.contiguous(memory_format=torch.channels_last)), block(maps))


def test_places_in_a_resnet():
    with torch.device("meta"):
        model = ResNet(50, non_local=[0, 2, 3, 0])
        plain = ResNet(50)
    found = {name: module.g.in_channels for name, module in model.named_modules() if isinstance(module, NonLocal)}
    assert found == {
        "layer2.2.non_local": 512,
        "layer2.3.non_local": 512,
        "layer3.3.non_local": 1024,
        "layer3.4.non_local": 1024,
        "layer3.5.non_local": 1024,
    }
    assert {name for name in model.state_dict() if ".non_local." not in name} == set(plain.state_dict())


def test_a_resnet_runs_them():
    torch.manual_seed(0)
    model = ResNet(18, width=8, non_local=(1, 0, 0, 2)).eval()
    images = torch.randn(1, 3, 64, 32)
    before = model(images)
    torch.nn.init.ones_(model.layer4[1].non_local.W[1].weight)
    assert not torch.allclose(model(images), before)
    maps = model.layer3(model.layer2(model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(images)))))))
    first, last = model.layer4
    expected = maps
    for block in (first, last):
        shortcut = expected if block.downsample is None else block.downsample(expected)
        expected = block.bn2(block.conv2(block.bn1(block.conv1(expected)).relu()))
        expected = slow(block.non_local, (expected + shortcut).relu())
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


def test_pretrained_weights_are_without_them(tmp_path):
    torch.manual_seed(0)
    plain = ResNet(18, width=8)
    torch.save(plain.state_dict(), tmp_path / "resnet.pth")
    model = ResNet(18, width=8, non_local=(0, 1, 0, 0), pretrained=str(tmp_path / "resnet.pth"))
    torch.testing.assert_close(model.conv1.weight, plain.conv1.weight)
    images = torch.randn(1, 3, 64, 32)
    torch.testing.assert_close(model.eval()(images), plain.eval()(images))


@pytest.mark.parametrize("wrong", [(0, 2, 3), (0, 5, 0, 0), (-1, 0, 0, 0), (0, 0, 0.5, 0)])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ConfigError, match=r"non_local must be four whole numbers, at most \[3, 4, 6, 3\]"):
        ResNet(50, non_local=wrong)
