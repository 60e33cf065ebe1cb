"""torchvision's networks as backbones: pooled and classified, their maps give what torchvision's forward pass gives."""

from __future__ import annotations

import pytest
import torch
from torchvision import models

from reidzoo.backbones import TorchvisionBackbone
from reidzoo.errors import ConfigError, WeightsError

IMAGES = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, classify",
    [
        ("mobilenet_v2", lambda net, map: net.classifier(map.mean((2, 3)))),
        ("mobilenet_v3_small", lambda net, map: net.classifier(map.mean((2, 3)))),
        ("shufflenet_v2_x0_5", lambda net, map: net.fc(map.mean((2, 3)))),
        ("squeezenet1_1", lambda net, map: net.classifier(map).flatten(1)),
        ("regnet_y_400mf", lambda net, map: net.fc(map.mean((2, 3)))),
        ("resnet18", lambda net, map: net.fc(map.mean((2, 3)))),
        ("densenet121", lambda net, map: net.classifier(map.mean((2, 3)))),
        ("efficientnet_b0", lambda net, map: net.classifier(map.mean((2, 3)))),
        ("mnasnet0_5", lambda net, map: net.classifier(map.mean((2, 3)))),
        ("swin_t", lambda net, map: net.head(map.mean((2, 3)))),
    ],
)
def test_the_map_is_torchvisions(name, classify, tmp_path):
    theirs = models.get_model(name, weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = TorchvisionBackbone(name, pretrained=str(tmp_path / "theirs.pth")).eval()
    with torch.no_grad():
        maps = ours(IMAGES)
        assert maps.dim() == 4 and maps.shape[1] == ours.out_channels
        torch.testing.assert_close(classify(theirs, maps), theirs(IMAGES), rtol=1e-4, atol=1e-4)


def test_published_weights_come_from_torchvisions_address(monkeypatch):
    asked = []

    def load(backbone, source, key_map):
        asked.append(source)
        assert key_map("features.0.0.weight") == "features.0.0.weight" and key_map("classifier.1.weight") is None

    monkeypatch.setattr("reidzoo.backbones.torchvision_backbone.load_pretrained", load)
    for pretrained in (True, "torchvision", "IMAGENET1K_V1", "mine.pth", "", False):
        TorchvisionBackbone("mobilenet_v2", pretrained)
    best, first = models.MobileNet_V2_Weights.DEFAULT.url, models.MobileNet_V2_Weights.IMAGENET1K_V1.url
    assert [source[0] if isinstance(source, tuple) else source for source in asked] == [best, best, first, "mine.pth"]
    assert asked[0][1] == best.rsplit("/", 1)[1]


def test_a_file_that_does_not_fit(tmp_path):
    torch.save({"features.0.0.weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="missing"):
        TorchvisionBackbone("mobilenet_v2", str(tmp_path / "other.pth"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "mobilenet_v4"}, "torchvision has no 'mobilenet_v4' *. Did you mean mobilenet_v"),
        ({"name": "vit_b_16"}, "vit_b_16 is not cut at its last map here; try TimmBackbone"),
        ({"name": "fcn_resnet50"}, "fcn_resnet50 is not cut"),
        ({"name": "mobilenet_v2", "options": {"width": 0.1}}, "cannot be built with width: 0.1"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TorchvisionBackbone(**arguments)
