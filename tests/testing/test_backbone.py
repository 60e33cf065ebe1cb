"""check_backbone: our own backbones pass, and each broken clause is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.registry import BACKBONE
from reidzoo.testing import ContractError, check_backbone

from .own_parts import own_parts

NODES = [
    {"type": "ResNet", "depth": 18, "width": 4},
    {"type": "ResNet", "depth": 18, "width": 4, "ibn": "b", "last_stride": 1},
    {"type": "DualBranchResNet", "depth": 18, "width": 4},
    {"type": "MultiBranchResNet", "depth": 18, "width": 4, "branches": 2},
    {"type": "OSNet", "width": 0.25},
    {"type": "VGG", "net": "vgg_m", "width": 8},
    {"type": "MobileNetV2", "width": 0.1, "last_stride": 1},
    {"type": "DualBranchMobileNetV2", "width": 0.1},
    {"type": "TimmBackbone", "name": "test_vit"},
    {"type": "JigsawViT", "name": "test_vit", "parts": 2, "shift": 3, "options": {"patch_size": 8}},
    {
        "type": "SemanticSwin",
        "drop_path": 0.1,
        "options": {"embed_dim": 8, "depths": [1, 2, 1, 2], "num_heads": [1, 1, 1, 1]},
    },
    {"type": "TorchvisionBackbone", "name": "mobilenet_v2", "options": {"width_mult": 0.1}},
]


def test_every_backbone_is_checked():
    assert {node["type"] for node in NODES} == own_parts(BACKBONE)


@pytest.mark.parametrize("node", NODES, ids=lambda node: "-".join(map(str, node.values())))
def test_our_own(node):
    check_backbone(node)


class Theirs(nn.Module):
    """A third party's backbone; subclasses have one defect each."""

    def __init__(self, pretrained=""):
        super().__init__()
        self.out_channels = 4
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, images):
        return self.layers(images)


def test_a_third_partys():
    check_backbone(Theirs)
    check_backbone(Theirs())
    numpys = Theirs()
    numpys.out_channels = np.int64(4)
    check_backbone(numpys)


class NoChannels(Theirs):
    def __init__(self):
        super().__init__()
        del self.out_channels


class WrongChannels(Theirs):
    def __init__(self):
        super().__init__()
        self.out_channels = 8


class Pooled(Theirs):
    def forward(self, images):
        return self.layers(images).mean((2, 3))


class OfTheBatch(Theirs):
    def forward(self, images):
        maps = self.layers(images)
        return maps - maps.mean(0)


class Restless(Theirs):
    def forward(self, images):
        return nn.functional.dropout(self.layers(images))


class WritesIntoItsInput(Theirs):
    def forward(self, images):
        return self.layers(images.mul_(2) if not self.training else images)


class HiddenState(Theirs):
    def __init__(self):
        super().__init__()
        self.scale = torch.rand(4, 1, 1)

    def forward(self, images):
        return self.layers(images) * self.scale


class Detached(Theirs):
    def forward(self, images):
        return self.layers(images).detach()


class OneSize(Theirs):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(4, 31, 15))

    def forward(self, images):
        return self.layers(images) + self.place


class NeedsWeights(Theirs):
    def __init__(self, pretrained="imagenet"):
        super().__init__()
        self.source = {"imagenet": "file"}[pretrained]


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoChannels, "out_channels is the number of its map's channels; it is None"),
        (WrongChannels, r"of 2 images it returned \(2, 4, 31, 15\), and out_channels is 8"),
        (Pooled, r"it returns a feature map .*; of 2 images it returned \(2, 4\)"),
        (OfTheBatch, "what it makes of an image depends on that image alone"),
        (Restless, "in evaluation mode it draws no random numbers"),
        (WritesIntoItsInput, "it leaves its input as it is"),
        (HiddenState, "all that it has learnt is in its parameters and buffers; .* output differs by"),
        (Detached, "its outputs have a gradient"),
        (OneSize, r"it takes a batch \(2, 3, 96, 48\); RuntimeError"),
        (NeedsWeights, r"it is built with \(pretrained=''\); KeyError"),
    ],
)
def test_a_broken_clause_is_named(cls, said):
    with pytest.raises(ContractError, match=f"BACKBONE: {cls.__name__} breaks its contract: .*{said}"):
        check_backbone(cls)


def test_what_is_no_module():
    with pytest.raises(ContractError, match=r"it is an nn\.Module; it is a list"):
        check_backbone(list)
