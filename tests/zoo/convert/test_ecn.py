from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional


class ECN(nn.Module):
    def __init__(self, resnet, depth=50):
        super().__init__()
        self.base = resnet(depth, last_stride=2)
        self.feat = nn.Linear(self.base.fc.in_features, 4096)
        self.feat_bn = nn.BatchNorm1d(4096)
        self.classifier = nn.Linear(4096, 9)

    def forward(self, images, names=("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")):
        for name in names:
            images = getattr(self.base, name)(images)
        return functional.normalize(images.mean((2, 3)))


@pytest.mark.slow
def test_embeds_pool5(originals, images, check):
    original = originals.make(ECN, originals.resnet)
    with torch.no_grad():
        expected = original(images)
    file = check("ecn", original.state_dict(), expected)
    assert file.config["BACKBONE"]["last_stride"] == 2 and expected.shape == (2, 2048)
    assert file.config["INPUT"]["SIZE"] == [256, 128] and file.config["INPUT"]["INTERPOLATION"] == "bicubic"
    assert file.config["TEST"]["AP"] == "trapezoid"
    assert file.info["dropped"] == {
        "ImageNet classifier": 2, "the losses' layer FC-4096": 7, "identity classifier": 2,
    }  # fmt: skip


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    check_exactness("ecn", originals.make(ECN, originals.resnet, 18).state_dict(), "base.layer2.0.downsample.1.bias")
