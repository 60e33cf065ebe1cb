from __future__ import annotations

import pytest
import torch
import torchvision

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
@pytest.mark.slow
def test_resnets_embed_as_the_original(originals, images, check, depth):
    original = originals.make(originals.resnet, depth, last_stride=2)
    maps = images
    with torch.no_grad():
        for name in (*originals.STEM, *originals.LAYERS):
            maps = getattr(original, name)(maps)
    file = check("torchvision", original.state_dict(), maps.mean((2, 3)), size="256x128")
    assert file.config["BACKBONE"]["depth"] == depth and file.config["INPUT"]["SIZE"] == [256, 128]
    assert file.info["options"] == {"size": "256x128"}


@pytest.mark.parametrize("build, norm", [(torchvision.models.vgg16, False), (torchvision.models.vgg16_bn, True)])
@pytest.mark.slow
def test_vgg_embeds_as_the_original(originals, images, check, build, norm):
    with torch.device("meta"):
        whole = build(weights=None)
    features = originals.make(lambda: whole.features)
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(3)
    with torch.no_grad():
        expected = features(images).mean((2, 3))
    file = check("torchvision", state, expected)
    assert file.config["BACKBONE"] == {"type": "VGG", "net": "vgg_16", "batch_norm": norm, "pretrained": ""}


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    check_exactness("torchvision", originals.make(originals.resnet, 18).state_dict(), "conv1.weight")


def test_with_instance_norm_it_is_ibn_nets(originals):
    with pytest.raises(WeightsError, match="is it IBN-Net's"):
        convert_state(FAMILIES["torchvision"], originals.make(originals.resnet, 18, ibn=True).state_dict(), {})


def test_an_unknown_depth_is_named():
    with torch.device("meta"):
        state = torchvision.models.resnet152(weights=None).state_dict()
    with pytest.raises(WeightsError, match="3, 8, 36, 3 blocks"):
        convert_state(FAMILIES["torchvision"], state, {})
