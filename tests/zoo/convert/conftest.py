"""The originals: other people's networks under their names, put together from torchvision's modules."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from reidzoo.errors import WeightsError
from reidzoo.registry import MODEL
from reidzoo.zoo.convert import FAMILIES, convert_state

STEM = ("conv1", "bn1", "relu", "maxpool")
LAYERS = ("layer1", "layer2", "layer3", "layer4")


class PlainIBN(nn.Module):
    """IBN-a's norm: instance norm on the first half of the channels, batch norm on the second."""

    def __init__(self, channels):
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, maps):
        return torch.cat([self.IN(maps[:, : self.half]), self.BN(maps[:, self.half :])], dim=1)


def randomise(module, seed=0):
    """Give every parameter and buffer a random value that shows in the output, and return the module for testing."""
    generator = torch.Generator().manual_seed(seed)
    module.to_empty(device="cpu")
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            tensor.uniform_(0.6, 1.4, generator=generator)
            if "bn3" in name:  # otherwise a network of many blocks grows out of all bounds
                tensor.mul_(0.3)
        elif tensor.dim() > 1:
            tensor.normal_(0, math.sqrt(2 / tensor[0].numel()), generator=generator)
        else:
            tensor.normal_(0, 0.2, generator=generator)
    return module.eval()


def resnet(depth=50, ibn=False, last_stride=1):
    """Return torchvision's ResNet on the meta device, with IBN-a's norms and the last stride of the originals."""
    model = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    first = model.layer4[0]
    (first.conv2 if depth >= 50 else first.conv1).stride = (last_stride, last_stride)
    first.downsample[0].stride = (last_stride, last_stride)
    if ibn:
        for name in ("layer1", "layer2", "layer3"):
            for block in getattr(model, name):
                block.bn1 = PlainIBN(block.bn1.num_features)
    return model


class Sequential(nn.Module):
    """The model that DomainMix, SpCL and MMT share: the ResNet in one ``base``, and ``feat_bn``."""

    def __init__(self, stem=STEM, depth=50, ibn=False, classes=0, discriminator=False):
        super().__init__()
        net = resnet(depth, ibn)
        self.base = nn.Sequential(*(getattr(net, name) for name in (*stem, *LAYERS)))
        self.feat_bn = nn.BatchNorm1d(net.fc.in_features)
        if classes:
            self.classifier = nn.Linear(net.fc.in_features, classes, bias=False)
        if discriminator:
            parts = []
            for ins, outs in ((net.fc.in_features, 1024), (1024, 512), (512, 256)):
                parts += [nn.Linear(ins, outs), nn.BatchNorm1d(outs), nn.LeakyReLU(0.2)]
            self.classifier_D = nn.Sequential(*parts, nn.Linear(256, 2))

    def forward(self, images):
        return functional.normalize(self.feat_bn(self.base(images).mean((2, 3))))


@pytest.fixture
def originals():
    """Return what originals are built of: a namespace of the classes and functions above."""

    class Originals:
        STEM, LAYERS, PlainIBN, Sequential = STEM, LAYERS, PlainIBN, Sequential

        @staticmethod
        def make(build, *args, seed=0, **options):
            with torch.device("meta"):
                module = build(*args, **options)
            return randomise(module, seed)

    Originals.resnet = staticmethod(resnet)
    return Originals


@pytest.fixture
def images():
    """Return two images as networks take them."""
    return torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def load():
    """Return a function that builds the model of a `ModelFile` and loads it strictly."""

    def build(file):
        model = MODEL.build({"type": "Embedder"}, backbone=file.config["BACKBONE"], head=file.config["HEAD"])
        model.load_state_dict(file.state)
        return model.eval()

    return build


@pytest.fixture
def check(load, images):
    """Return a function that converts a state and compares what is embedded with what the original embeds."""

    def run(family, state, expected, **options):
        file = convert_state(FAMILIES[family], state, options)
        with torch.no_grad():
            found = load(file).embed(images)
        torch.testing.assert_close(found, functional.normalize(expected.float()), rtol=1e-3, atol=2e-5)
        return file

    return run


@pytest.fixture
def check_exactness():
    """Return a function that takes away, adds and bends names of a state and looks for them in the errors."""

    def run(family, state, name, **options):
        def error(changed):
            with pytest.raises(WeightsError, match="nothing was converted") as caught:
                convert_state(FAMILIES[family], changed, options)
            return str(caught.value)

        convert_state(FAMILIES[family], state, options)
        without = {key: value for key, value in state.items() if key != name}
        found = error(without)
        assert f"1 missing in the file: {name}" in found and "unknown" not in found
        found = error({**state, "strange.weight": torch.zeros(3)})
        assert "1 in the file that this family does not have: strange.weight" in found
        found = error({**state, name: torch.zeros(5, 7)})
        assert f"1 of another shape: {name} is [5, 7], " in found

    return run
