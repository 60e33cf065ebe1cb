from __future__ import annotations

import pytest

from reidzoo.backbones.resnet import ResNet
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.names import describe_resnet, map_prefixes, refuse, sequential_resnet


def test_the_longest_prefix_wins_and_the_rest_is_unknown():
    drop = Dropped("classifier")
    table = {"base.": "backbone.", "base.fc.": drop, "feat_bn.": "head.bn."}
    names = ["base.conv1.weight", "base.fc.bias", "feat_bn.weight", "feat.weight"]
    assert map_prefixes(names, table) == {
        "base.conv1.weight": "backbone.conv1.weight", "base.fc.bias": drop, "feat_bn.weight": "head.bn.weight",
    }  # fmt: skip


def test_sequential_resnet():
    assert sequential_resnet(3)["base.6."] == "backbone.layer4."
    assert sequential_resnet(4) == {
        "base.0.": "backbone.conv1.", "base.1.": "backbone.bn1.", "base.4.": "backbone.layer1.",
        "base.5.": "backbone.layer2.", "base.6.": "backbone.layer3.", "base.7.": "backbone.layer4.",
    }  # fmt: skip


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
@pytest.mark.parametrize("ibn", ["none", "a", "b"])
def test_depth_and_ibn_are_read_from_the_names(depth, ibn):
    names = [f"backbone.{name}" for name in ResNet(depth, ibn, width=2).state_dict()]
    found = describe_resnet([*names, Dropped("something")], last_stride=2)
    assert found == {"type": "ResNet", "depth": depth, "ibn": ibn, "last_stride": 2}
    # One name more or less is the business of the check that lists it.
    assert describe_resnet(names[:-1], last_stride=2) == found


def test_other_depths_are_refused():
    with pytest.raises(WeightsError, match=r"0, 0, 0, 1 blocks .*\(18, 34, 50, 101\)"):
        describe_resnet(["backbone.layer4.0.conv3.weight"], last_stride=1)


def test_refusal_names_feature_and_evidence():
    refuse(["layer1.0.conv1.weight"], {r"\.se\.": "SE"})
    with pytest.raises(WeightsError, match=r"has SE, as its 'layer1\.0\.se\.fc' says"):
        refuse(["layer1.0.conv1.weight", "layer1.0.se.fc"], {r"\.se\.": "SE"})
