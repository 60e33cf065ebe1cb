"""VGG-16 against torchvision, VGG-M against a transcription of its layers and of its published input."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reidzoo.backbones.vgg as module
from reidzoo.backbones.vgg import VGG
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_16_is_torchvisions(tmp_path, batch_norm):
    from torchvision.models import vgg16, vgg16_bn

    theirs = (vgg16_bn if batch_norm else vgg16)(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "vgg.pth")
    node = {"type": "VGG", "batch_norm": batch_norm, "pretrained": str(tmp_path / "vgg.pth")}
    ours = BACKBONE.build(node).eval()
    images = torch.randn(2, 3, 64, 32)
    maps = ours(images)
    assert maps.shape == (2, 512, 2, 1) and ours.out_channels == 512
    torch.testing.assert_close(maps, theirs.features(images))


def plain_vgg_m(state, images):
    """Chatfield et al., Table 1, "medium", by functions alone."""

    def normalise(maps):
        padded = F.pad(maps.square(), (0, 0, 0, 0, 2, 2))
        total = sum(padded[:, k : k + maps.shape[1]] for k in range(5))
        return maps / (2 + 5e-4 / 5 * total) ** 0.75

    def conv(maps, number, **options):
        return F.relu(F.conv2d(maps, state[f"features.{number}.weight"], state[f"features.{number}.bias"], **options))

    maps = F.max_pool2d(normalise(conv(images, 0, stride=2)), 3, 2, ceil_mode=True)
    maps = F.max_pool2d(normalise(conv(maps, 4, stride=2, padding=1)), 3, 2, ceil_mode=True)
    for number in (8, 10, 12):
        maps = conv(maps, number, padding=1)
    return F.max_pool2d(maps, 3, 2, ceil_mode=True)


def test_vgg_m_by_hand():
    net = VGG("vgg_m")
    assert {name.rsplit(".", 1)[0] for name in net.state_dict()} == {f"features.{n}" for n in (0, 4, 8, 10, 12)}
    images = torch.randn(1, 3, 221, 221)
    maps = net(images)
    assert maps.shape == (1, 512, 6, 6)  # the published classifier takes 18,432 numbers
    torch.testing.assert_close(maps, plain_vgg_m(net.state_dict(), images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taken, colours, means", [
    ("listed", (2, 1, 0), (123.68, 116.779, 103.939)),
    ("bgr", (2, 1, 0), (103.939, 116.779, 123.68)),
    ("rgb", (0, 1, 2), (123.68, 116.779, 103.939)),
])  # fmt: skip
def test_vgg_ms_weights_take_what_the_others_take(monkeypatch, tmp_path, caplog, taken, colours, means):
    """The published file was trained on colours in 0..255 less their means; ours takes ImageNet's norm."""
    published = {f"{name}": value for name, value in VGG("vgg_m").state_dict().items()}
    published["features.0.bias"] = torch.randn(96)
    torch.save({**published, "classif.0.weight": torch.zeros(1)}, tmp_path / "vggm.pth")
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path))
    monkeypatch.setattr(module, "VGG_M_FILE", "vggm.pth")
    with caplog.at_level("WARNING", logger="reidzoo"):
        net = VGG("vgg_m", pretrained="imagenet", vgg_m_input=taken)
    assert "compare vgg_m_input listed, bgr and rgb" in caplog.text
    pixels = torch.rand(2, 3, 128, 64)  # red, green, blue in 0..1
    mean, std = (torch.tensor(values)[:, None, None] for values in (module.MEAN, module.STD))
    raw = 255 * pixels[:, list(colours)] - torch.tensor(means)[:, None, None]
    expected = plain_vgg_m(published, raw)
    torch.testing.assert_close(net((pixels - mean) / std), expected, rtol=1e-3, atol=1e-3 * expected.abs().max())


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("net", ["vgg_16", "vgg_m"])
def test_narrow_networks_take_small_images(net, batch_norm):
    narrow = VGG(net, width=16, batch_norm=batch_norm)
    maps = narrow(torch.randn(4, 3, 64, 32))
    assert maps.shape[:2] == (4, 128) and maps.numel() and narrow.out_channels == 128
    assert sum(isinstance(m, nn.BatchNorm2d) for m in narrow.modules()) == batch_norm * (13 if net == "vgg_16" else 5)
    assert any(isinstance(m, nn.LocalResponseNorm) for m in narrow.modules()) == (net == "vgg_m" and not batch_norm)
    maps.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in narrow.parameters())


def test_wrong_arguments():
    for arguments in ({"net": "vgg_11"}, {"width": 15}, {"width": 16.0}):
        with pytest.raises(ConfigError, match=r"VGG: (net|width) must be"):
            VGG(**arguments)
    for arguments in ({"width": 16}, {"net": "vgg_m", "batch_norm": True}):
        with pytest.raises(WeightsError, match="needs width: 64"):
            VGG(pretrained="imagenet", **arguments)
