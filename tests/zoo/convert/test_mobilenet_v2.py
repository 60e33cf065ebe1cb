"""The names of MobileNetV2's first public implementation: the layers in torchvision's order, without its grouping."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from reidzoo.zoo.convert.mobilenet_v2 import FIRST_BLOCK, OTHER_BLOCKS


def ungrouped(features):
    """Return the layers with each block's in one row, as the first implementation has them."""

    def flat(module):
        for child in module:
            yield from flat(child) if isinstance(child, nn.Sequential) else [child]

    rows = nn.Sequential()
    for number, block in enumerate(features):
        part = block
        if hasattr(block, "conv"):
            part = nn.Module()
            part.conv = nn.Sequential(*flat(block.conv))
        rows.add_module(str(number), part)
    return rows


@pytest.mark.slow
def test_it_embeds_as_the_original(originals, images, check):
    features = originals.make(lambda: mobilenet_v2(weights=None).features)
    state = {f"features.{name}": value for name, value in ungrouped(features).state_dict().items()}
    state["classifier.1.weight"] = torch.zeros(3)
    assert "features.2.conv.6.weight" in state and "features.1.conv.3.weight" in state
    with torch.no_grad():
        expected = features(images).mean((2, 3))
    file = check("mobilenet_v2", state, expected)
    assert file.config["BACKBONE"] == {"type": "MobileNetV2", "last_stride": 2, "pretrained": ""}
    assert file.info["dropped"] == {"ImageNet classifier": 1}


def test_the_order_of_the_parameters_is_torchvisions(originals):
    features = originals.make(lambda: mobilenet_v2(weights=None).features)
    theirs, ours = ungrouped(features).state_dict(), features.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(theirs.values(), ours.values()))  # the map is by position
    for number, table in ((1, FIRST_BLOCK), (2, OTHER_BLOCKS)):
        for position, place in table.items():
            name = f"{number}.conv.{position}.weight"
            assert torch.equal(theirs[name], ours[f"{number}.conv.{place}.weight"])


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    features = originals.make(lambda: mobilenet_v2(weights=None).features)
    state = {f"features.{name}": value for name, value in ungrouped(features).state_dict().items()}
    check_exactness("mobilenet_v2", state, "features.3.conv.4.weight")
