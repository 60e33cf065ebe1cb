"""OSNet: published sizes, the three layouts, the block by hand, torchreid's names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.backbones.osnet import OSBlock, OSNet, map_torchreid
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.heads.linear import LinearHead
from reidzoo.registry import BACKBONE
from reidzoo.weights.loading import load_weights


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("norm", ["bn", "ain"])
@pytest.mark.parametrize(
    "width, with_fc, millions",
    [(1.0, 2_169_508, 2.2), (0.75, 1_285_754, 1.3), (0.5, 630_034, 0.6), (0.25, 201_864, 0.2)],
)
def test_published_parameter_counts(width, with_fc, millions, norm):
    """The paper counts the 512-d fully connected layer, which is our head's."""
    with torch.device("meta"):
        backbone = OSNet(width, norm)
    head = LinearHead(backbone.out_channels, embedding_dim=512)
    assert count(backbone) + count(head) == with_fc
    assert round(with_fc / 1e6, 1) == millions


def test_ibn_adds_two_instance_norms():
    with torch.device("meta"):
        assert count(OSNet(1.0, "ibn")) - count(OSNet(1.0)) == 2 * 2 * 256


@pytest.mark.parametrize("norm", ["bn", "ibn", "ain"])
@pytest.mark.parametrize("width, channels", [(1.0, 512), (0.25, 128), (0.125, 64)])
def test_the_map_is_a_sixteenth(norm, width, channels):
    model = OSNet(width, norm)
    assert model(torch.randn(2, 3, 64, 32)).shape == (2, channels, 4, 2)
    assert model.out_channels == channels


@pytest.mark.parametrize(
    "norm, expected",
    [
        ("bn", set()),
        ("ibn", {"conv1.bn", "conv2.0.IN", "conv2.1.IN"}),
        ("ain", {"conv1.bn", "conv2.0.IN", "conv2.1.IN", "conv3.1.IN", "conv4.0.IN"}),
    ],
)
def test_where_instance_norm_stands(norm, expected):
    model = OSNet(0.25, norm)
    assert {name for name, module in model.named_modules() if isinstance(module, nn.InstanceNorm2d)} == expected


def slow_norm(maps, dims=(0, 2, 3)):
    return (maps - maps.mean(dims, keepdim=True)) / (maps.var(dims, unbiased=False, keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize("norm", ["none", "after", "inside"])
def test_block_by_hand(norm):
    """Eq. 3 of the paper with the norms written out; affine parameters are 1 and 0 at the start."""
    torch.manual_seed(0)
    block = OSBlock(8, 64, norm).double()
    maps = torch.randn(3, 8, 4, 3).double()
    conv = nn.functional.conv2d
    reduced = slow_norm(conv(maps, block.conv1.conv.weight)).relu()
    gate = block.gate
    total = 0
    for scale in range(4):
        stream = reduced
        assert len(block.conv2[scale].layers) == scale + 1
        for light in block.conv2[scale].layers:
            stream = conv(conv(stream, light.conv1.weight), light.conv2.weight, padding=1, groups=16)
            stream = slow_norm(stream).relu()
        pooled = stream.mean((2, 3))
        hidden = (pooled @ gate.fc1.weight.flatten(1).T + gate.fc1.bias).relu()
        attention = torch.sigmoid(hidden @ gate.fc2.weight.flatten(1).T + gate.fc2.bias)
        total = total + attention[:, :, None, None] * stream
    residual = conv(total, block.conv3.conv.weight)
    residual = slow_norm(residual, (2, 3)) if norm == "inside" else slow_norm(residual)
    out = residual + slow_norm(conv(maps, block.downsample.conv.weight))
    if norm == "after":
        out = slow_norm(out, (2, 3))
    torch.testing.assert_close(block(maps), out.relu())


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("conv1.conv.weight", "conv1.conv.weight"),
        ("conv2.0.conv2a.conv1.weight", "conv2.0.conv2.0.layers.0.conv1.weight"),
        ("conv3.1.conv2d.3.bn.bias", "conv3.1.conv2.3.layers.3.bn.bias"),
        ("conv2.2.0.conv.weight", "pool2.0.conv.weight"),
        ("conv3.2.0.bn.running_var", "pool3.0.bn.running_var"),
        ("conv2.1.conv2.1.layers.0.bn.weight", "conv2.1.conv2.1.layers.0.bn.weight"),
        ("pool3.0.bn.weight", "pool3.0.bn.weight"),
        ("fc.0.weight", None),
        ("classifier.bias", None),
    ],
)
def test_torchreids_names(theirs, ours):
    assert map_torchreid(theirs) == ours


def torchreid_name(name):
    """The inverse of map_torchreid for OSNet and OSNet-IBN."""
    for number in (2, 3):
        name = name.replace(f"pool{number}.0.", f"conv{number}.2.0.")
    for scale, letter in enumerate("abcd"):
        name = name.replace(f".conv2.{scale}.layers.", f".conv2{letter}.")
    return name.replace(".conv2a.0.", ".conv2a.")


@pytest.mark.slow
def test_torchreids_file_loads_strictly(tmp_path):
    reference = OSNet(0.25, "ibn")
    state = {f"module.{torchreid_name(name)}": value for name, value in reference.state_dict().items()}
    assert "module.conv2.0.conv2a.conv1.weight" in state
    state["module.classifier.weight"] = torch.zeros(10, 512)
    torch.save({"state_dict": state}, tmp_path / "osnet.pth")
    loaded = OSNet(0.25, "ibn", pretrained=str(tmp_path / "osnet.pth"))
    for name, value in reference.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with pytest.raises(WeightsError, match="nothing was loaded"):
        load_weights(OSNet(0.25, "ain"), state, key_map=map_torchreid)


def test_it_is_registered():
    assert isinstance(BACKBONE.build({"type": "OSNet", "width": 0.25, "norm": "ain"}), OSNet)


@pytest.mark.parametrize("option", [{"norm": "gn"}, {"width": 0}, {"width": 0.3}, {"width": -1}])
def test_wrong_options_are_named(option):
    with pytest.raises(ConfigError, match=next(iter(option))):
        OSNet(**option)


def test_unpublished_weights_are_named():
    with pytest.raises(WeightsError, match=r"no ImageNet weights .* ibn with width: 0\.5"):
        OSNet(0.5, "ibn", pretrained="imagenet")
