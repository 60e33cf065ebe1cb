from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


class Classifier(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        norm = nn.BatchNorm1d(512)
        self.add_block = nn.Sequential(nn.Linear(features, 512), norm, nn.LeakyReLU(0.1), nn.Dropout(0.5))
        self.classifier = nn.Sequential(nn.Linear(512, classes))


class Last(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classifier = nn.Sequential(nn.Linear(1024, classes))


class Baseline(nn.Module):
    """With one classifier as after the pre-training, or with two as in the alternation."""

    def __init__(self, resnet, names=("classifier",), depth=50):
        super().__init__()
        self.model = resnet(depth, last_stride=2)
        for name in names:
            setattr(self, name, Classifier(self.model.fc.in_features, 5))

    def body(self, images, last=("layer4",)):
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", *last):
            images = getattr(self.model, name)(images)
        return images

    def forward(self, images):
        return self.body(images).mean((2, 3))


def block(*layers):
    return nn.Sequential(*layers, nn.ReLU())


class Dual(Baseline):
    """The paper's Fig. 4 ("multibranch1"), and "multibranch2" with a layer for each half."""

    def __init__(self, resnet, reduction):
        super().__init__(resnet, names=())
        self.model = resnet(50, last_stride=1)
        self.model.layer4_global = copy.deepcopy(self.model.layer4)
        self.model.global_fc = block(nn.Linear(2048, 1024), nn.BatchNorm1d(1024))
        if reduction:
            self.model.reduction = block(nn.Conv2d(2048, 1024, 1, bias=False), nn.BatchNorm2d(1024))
        else:
            self.model.fc0 = block(nn.Linear(2048, 1024), nn.BatchNorm1d(1024))
            self.model.fc1 = block(nn.Linear(2048, 1024), nn.BatchNorm1d(1024))
        for name in ("classifier_pos", "classifier_neg"):
            heads = nn.Module()
            heads.classifier_g, heads.classifier0, heads.classifier1 = Last(5), Last(5), Last(5)
            setattr(self, name, heads)

    def forward(self, images):
        model, shared = self.model, self.body(images, last=())
        local = model.layer4(shared)
        if hasattr(model, "reduction"):
            local = model.reduction(local)
        middle = local.shape[2] // 2
        halves = [local[:, :, :middle].mean((2, 3)), local[:, :, middle:].mean((2, 3))]
        if not hasattr(model, "reduction"):
            halves = [model.fc0(halves[0]), model.fc1(halves[1])]
        return torch.cat([model.global_fc(model.layer4_global(shared).mean((2, 3))), *halves], dim=1)


@pytest.mark.parametrize("names", [("classifier",), ("classifier_pos", "classifier_neg")])
@pytest.mark.slow
def test_the_baseline_embeds_as_the_original(originals, images, check, names):
    original = originals.make(Baseline, originals.resnet, names)
    with torch.no_grad():
        expected = original(images)
    file = check("adin", original.state_dict(), expected)
    assert expected.shape == (2, 2048) and file.config["BACKBONE"]["last_stride"] == 2
    assert file.config["INPUT"]["SIZE"] == [384, 128]
    assert file.config["TEST"]["FLIP"] is True and file.config["TEST"]["AP"] == "trapezoid"
    assert sum(file.info["dropped"].values()) == 2 + 9 * len(names)


@pytest.mark.parametrize("reduction", [True, False])
@pytest.mark.slow
def test_the_dual_branch_network_embeds_as_the_original(originals, images, check, reduction):
    original = originals.make(Dual, originals.resnet, reduction)
    assert "classifier_pos.classifier_g.classifier.0.weight" in original.state_dict()
    with torch.no_grad():
        expected = original(images)
    file = check("adin", original.state_dict(), expected)
    assert expected.shape == (2, 3072)
    assert file.config["BACKBONE"] == {
        "type": "DualBranchResNet", "depth": 50, "ibn": "none", "last_stride": 1, "pretrained": "",
    }  # fmt: skip
    assert file.config["HEAD"]["reduction"] == ("conv" if reduction else "linear")


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    small = originals.make(Baseline, originals.resnet, depth=18).state_dict()
    check_exactness("adin", small, "model.layer3.1.bn1.running_var")
    dual = originals.make(Dual, originals.resnet, True).state_dict()
    check_exactness("adin", dual, "model.reduction.0.weight")
    check_exactness("adin", dual, "model.layer4_global.1.conv3.weight")


@pytest.mark.slow
def test_features_of_two_layers_are_refused(originals):
    state = originals.make(Baseline, originals.resnet, depth=18).state_dict()
    state["classifier.add_block.0.weight"] = torch.zeros(512, 512 + 256)
    with pytest.raises(WeightsError, match=r"768 features .*resnet50mid"):
        convert_state(FAMILIES["adin"], state, {})
