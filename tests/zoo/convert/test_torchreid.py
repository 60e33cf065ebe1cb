"""torchreid's ResNets, and its OSNets after a plain transcription of their published layout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


class Conv(nn.Module):
    """Convolution and, where asked for, norm and ReLU; every part has the name that their layers give it."""

    def __init__(self, ins, outs, kernel=1, stride=1, norm=nn.BatchNorm2d, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(ins, outs, kernel, stride, kernel // 2, bias=False)
        self.bn = norm(outs) if norm else None
        self.relu = relu

    def forward(self, maps):
        maps = self.conv(maps)
        maps = self.bn(maps) if self.bn else maps
        return maps.relu() if self.relu else maps


class Light(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, maps):
        return self.bn(self.conv2(self.conv1(maps))).relu()


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, maps):
        return maps * self.fc2(self.fc1(maps.mean((2, 3), keepdim=True)).relu()).sigmoid()


def instance_norm(channels):
    return nn.InstanceNorm2d(channels, affine=True)


class Block(nn.Module):
    """``instance``: "", "after" the addition, or "inside" the residual. ``ain``: names of the second paper's code."""

    def __init__(self, ins, outs, instance, ain):
        super().__init__()
        channels = outs // 4
        self.ain, self.instance = ain, instance
        self.conv1 = Conv(ins, channels)
        if ain:
            self.conv2 = nn.ModuleList()
            for length in (1, 2, 3, 4):
                stream = nn.Module()
                stream.layers = nn.Sequential(*(Light(channels) for _ in range(length)))
                self.conv2.append(stream)
        else:
            self.conv2a = Light(channels)
            for letter, length in (("b", 2), ("c", 3), ("d", 4)):
                setattr(self, f"conv2{letter}", nn.Sequential(*(Light(channels) for _ in range(length))))
        self.gate = Gate(channels)
        norm = None if instance == "inside" else nn.BatchNorm2d
        self.conv3 = Conv(channels, outs, norm=norm, relu=False)
        self.downsample = Conv(ins, outs, relu=False) if ins != outs else None
        self.IN = instance_norm(outs) if instance else None

    def forward(self, maps):
        reduced = self.conv1(maps)
        if self.ain:
            streams = [stream.layers(reduced) for stream in self.conv2]
        else:
            streams = [getattr(self, f"conv2{letter}")(reduced) for letter in "abcd"]
        residual = self.conv3(sum(self.gate(stream) for stream in streams))
        if self.instance == "inside":
            residual = self.IN(residual)
        total = residual + (self.downsample(maps) if self.downsample else maps)
        return (self.IN(total) if self.instance == "after" else total).relu()


INSTANCE = {
    "bn": ("", "", "", "", "", ""),
    "ibn": ("after", "after", "", "", "", ""),
    "ain": ("inside", "inside", "", "inside", "inside", ""),
}


class OSNet(nn.Module):
    def __init__(self, norm, width):
        super().__init__()
        ain = norm == "ain"
        stem, two, three, four = (int(width * channels) for channels in (64, 256, 384, 512))
        where = INSTANCE[norm]
        self.conv1 = Conv(3, stem, 7, 2, norm=nn.BatchNorm2d if norm == "bn" else instance_norm)
        blocks = [Block(stem, two, where[0], ain), Block(two, two, where[1], ain)]
        transition = nn.Sequential(Conv(two, two), nn.AvgPool2d(2, 2))
        self.conv2 = nn.Sequential(*blocks, *([] if ain else [transition]))
        if ain:
            self.pool2 = transition
        blocks = [Block(two, three, where[2], ain), Block(three, three, where[3], ain)]
        transition = nn.Sequential(Conv(three, three), nn.AvgPool2d(2, 2))
        self.conv3 = nn.Sequential(*blocks, *([] if ain else [transition]))
        if ain:
            self.pool3 = transition
        self.conv4 = nn.Sequential(Block(three, four, where[4], ain), Block(four, four, where[5], ain))
        self.conv5 = Conv(four, four)
        self.fc = nn.Sequential(nn.Linear(four, 512), nn.BatchNorm1d(512), nn.ReLU())
        self.classifier = nn.Linear(512, 9)

    def forward(self, images):
        maps = nn.functional.max_pool2d(self.conv1(images), 3, 2, 1)
        for name in ("conv2", "pool2", "conv3", "pool3", "conv4", "conv5"):
            maps = getattr(self, name)(maps) if hasattr(self, name) else maps
        return self.fc(maps.mean((2, 3)))


class ResNet(nn.Module):
    def __init__(self, resnet, dims=0, last_stride=2, depth=50, ibn=False):
        super().__init__()
        net = resnet(depth, ibn, last_stride)
        self.names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        for name in self.names:
            setattr(self, name, getattr(net, name))
        features = net.fc.in_features
        if dims:
            self.fc = nn.Sequential(nn.Linear(features, dims), nn.BatchNorm1d(dims), nn.ReLU())
        self.classifier = nn.Linear(dims or features, 9)

    def forward(self, images):
        for name in self.names:
            images = getattr(self, name)(images)
        pooled = images.mean((2, 3))
        return self.fc(pooled) if hasattr(self, "fc") else pooled


@pytest.mark.parametrize("norm", ["bn", "ibn", "ain"])
@pytest.mark.parametrize("width", [1.0, 0.75, 0.5, 0.25])
@pytest.mark.slow
def test_osnet_embeds_as_the_original(originals, images, check, norm, width):
    original = originals.make(OSNet, norm, width)
    count = sum(p.numel() for name, p in original.named_parameters() if not name.startswith("classifier."))
    published = {1.0: 2_169_508, 0.75: 1_285_754, 0.5: 630_034, 0.25: 201_864}[width]
    assert count == published + (norm == "ibn") * 4 * int(256 * width)
    with torch.no_grad():
        expected = original(images)
    file = check("torchreid", original.state_dict(), expected)
    assert file.config["BACKBONE"] == {"type": "OSNet", "width": width, "norm": norm, "pretrained": ""}
    assert file.config["HEAD"] == {"type": "LinearHead", "embedding_dim": 512}
    assert file.config["INPUT"]["SIZE"] == [256, 128] and file.config["INPUT"]["INTERPOLATION"] == "bilinear"
    assert file.info["dropped"] == {"identity classifier": 2}


@pytest.mark.parametrize(
    "original, stride", [({}, 2), ({"dims": 512, "last_stride": 1}, 1), ({"ibn": True}, 2), ({"depth": 18}, 2)]
)
@pytest.mark.slow
def test_resnet_embeds_as_the_original(originals, images, check, original, stride):
    model = originals.make(ResNet, originals.resnet, **original)
    with torch.no_grad():
        expected = model(images)
    file = check("torchreid", model.state_dict(), expected)
    assert file.config["BACKBONE"]["last_stride"] == stride


@pytest.mark.slow
def test_a_last_stride_of_ones_own(originals, images, check):
    model = originals.make(ResNet, originals.resnet, depth=18, last_stride=1)
    with torch.no_grad():
        expected = model(images)
    check("torchreid", model.state_dict(), expected, last_stride="1")
    state = originals.make(OSNet, "bn", 0.25).state_dict()
    with pytest.raises(WeightsError, match="OSNet has no last_stride"):
        convert_state(FAMILIES["torchreid"], state, {"last_stride": "1"})


@pytest.mark.parametrize(
    "norm, name",
    [
        ("bn", "conv3.0.conv2c.1.bn.running_mean"),
        ("bn", "conv2.2.0.conv.weight"),
        ("ibn", "conv4.1.conv2a.conv1.weight"),
        ("ain", "conv3.1.conv2.3.layers.2.bn.bias"),
        ("ain", "fc.0.bias"),
    ],
)
@pytest.mark.slow
def test_exactness_of_osnet(originals, check_exactness, norm, name):
    check_exactness("torchreid", originals.make(OSNet, norm, 0.25).state_dict(), name)


@pytest.mark.slow
def test_exactness_of_resnet(originals, check_exactness):
    state = originals.make(ResNet, originals.resnet, depth=18, dims=512).state_dict()
    check_exactness("torchreid", state, "layer4.1.conv2.weight")


def test_several_layers_are_refused(originals):
    state = originals.make(ResNet, originals.resnet, depth=18, dims=512).state_dict()
    with pytest.raises(WeightsError, match="several fully connected layers"):
        convert_state(FAMILIES["torchreid"], {**state, "fc.3.weight": torch.zeros(512, 512)}, {})
