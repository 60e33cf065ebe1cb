from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


class WithNorm(nn.Module):
    """A block of IBN-b: instance norm after the addition, then ReLU."""

    def __init__(self, block):
        super().__init__()
        for name, child in block.named_children():
            setattr(self, name, child)
        self.IN = nn.InstanceNorm2d(block.conv3.out_channels, affine=True)

    def forward(self, maps):
        residual = self.bn1(self.conv1(maps)).relu()
        residual = self.bn2(self.conv2(residual)).relu()
        return self.IN(self.bn3(self.conv3(residual)) + maps).relu()


class IBNb(nn.Module):
    def __init__(self, resnet):
        super().__init__()
        net = resnet(50, last_stride=2)
        net.bn1 = nn.InstanceNorm2d(64, affine=True)
        for layer in (net.layer1, net.layer2):
            layer[-1] = WithNorm(layer[-1])
        for name, child in net.named_children():
            setattr(self, name, child)


def embed(model, images):
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        images = getattr(model, name)(images)
    return images.mean((2, 3))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.slow
def test_ibn_a_embeds_as_the_original(originals, images, check, depth):
    original = originals.make(originals.resnet, depth, ibn=True, last_stride=2)
    with torch.no_grad():
        expected = embed(original, images)
    file = check("ibn_net", original.state_dict(), expected)
    assert file.config["BACKBONE"]["ibn"] == "a" and file.config["BACKBONE"]["depth"] == depth
    assert file.config["INPUT"]["SIZE"] == [224, 224] and file.config["INPUT"]["INTERPOLATION"] == "bilinear"
    assert file.info["dropped"] == {"ImageNet classifier": 2} and "middle of 224 x 224" in file.info["notes"][0]


@pytest.mark.slow
def test_ibn_b_embeds_as_the_original(originals, images, check):
    for_b = originals.make(IBNb, originals.resnet)
    assert {name for name in for_b.state_dict() if name.startswith("bn1.")} == {"bn1.weight", "bn1.bias"}
    with torch.no_grad():
        expected = embed(for_b, images)
    assert check("ibn_net", for_b.state_dict(), expected).config["BACKBONE"]["ibn"] == "b"


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    state = originals.make(originals.resnet, 18, ibn=True).state_dict()
    check_exactness("ibn_net", state, "layer2.1.bn1.IN.weight")


@pytest.mark.parametrize(
    "name, shape, message",
    [
        ("layer1.0.se.fc.0.weight", (4, 64), "squeeze-and-excitation"),
        ("features.denseblock1.denselayer1.norm1.weight", (64,), "DenseNet"),
        ("layer1.0.conv2.weight", (64, 2, 3, 3), "ResNeXt"),
    ],
)
def test_features_that_no_model_here_has_are_named(originals, name, shape, message):
    state = {**originals.make(originals.resnet, 18, ibn=True).state_dict(), name: torch.zeros(shape)}
    with pytest.raises(WeightsError, match=message):
        convert_state(FAMILIES["ibn_net"], state, {})


def test_without_instance_norm_it_is_torchvisions(originals):
    with pytest.raises(WeightsError, match="is it torchvision's"):
        convert_state(FAMILIES["ibn_net"], originals.make(originals.resnet, 18).state_dict(), {})
