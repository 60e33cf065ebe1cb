"""ResNet: sizes, names and values against torchvision's, IBN layouts, options, published weights."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from reidzoo.backbones.ibn import IBN
from reidzoo.backbones.resnet import BasicBlock, Bottleneck, ResNet
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.registry import BACKBONE
from reidzoo.weights.loading import load_weights, map_torchvision


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def torchvision_map(model, images):
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        images = getattr(model, name)(images)
    return images


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_names_and_shapes_are_torchvisions_without_fc(depth):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None)
        ours = ResNet(depth)
    expected = {name: value.shape for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    assert {name: value.shape for name, value in ours.state_dict().items()} == expected
    assert ours.out_channels == theirs.fc.in_features


@pytest.mark.parametrize(
    "depth, ibn, parameters",
    [
        (50, "none", 23_508_032),
        (50, "a", 23_508_032),
        # IBN-b adds instance norms of 256 and 512 channels.
        (50, "b", 23_508_032 + 2 * (256 + 512)),
        (18, "none", 11_689_512 - 513_000),
        (34, "a", 21_797_672 - 513_000),
        (18, "b", 11_689_512 - 513_000 + 2 * (64 + 128)),
        (101, "a", 44_549_160 - 2_049_000),
    ],
)
def test_published_parameter_counts(depth, ibn, parameters):
    with torch.device("meta"):
        assert count(ResNet(depth, ibn)) == parameters


@pytest.mark.parametrize("training", [True, False])
def test_torchvision_weights_give_torchvisions_feature_map(training):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(weights=None).train(training)
    ours = ResNet(50).train(training)
    load_weights(ours, theirs.state_dict(), key_map=map_torchvision)
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), torchvision_map(theirs, images))


def test_torchvision_weights_of_another_depth_are_refused():
    state = torchvision.models.resnet18(weights=None).state_dict()
    with pytest.raises(WeightsError, match=r"missing: layer1\.2"):
        load_weights(ResNet(34), state, key_map=map_torchvision)


@pytest.mark.parametrize("last_stride, size", [(1, (16, 8)), (2, (8, 4))])
def test_last_stride_sets_the_map_size(last_stride, size):
    model = ResNet(18, last_stride=last_stride, width=8).eval()
    assert model(torch.zeros(1, 3, 256, 128)).shape == (1, 64, *size)
    with torch.device("meta"):
        assert ResNet(50, last_stride=last_stride)(torch.zeros(1, 3, 256, 128)).shape == (1, 2048, *size)


def test_ibn_a_stands_first_in_the_blocks_of_layers_1_to_3():
    model = ResNet(50, "a", width=8)
    found = {name for name, module in model.named_modules() if isinstance(module, IBN)}
    expected = {f"layer{layer}.{block}.bn1" for layer, blocks in ((1, 3), (2, 4), (3, 6)) for block in range(blocks)}
    assert found == expected
    assert isinstance(model.bn1, nn.BatchNorm2d)


@pytest.mark.parametrize("depth, last", [(18, (1, 1)), (34, (2, 3)), (50, (2, 3))])
def test_ibn_b_stands_in_the_stem_and_ends_layers_1_and_2(depth, last):
    model = ResNet(depth, "b", width=8)
    found = {name for name, module in model.named_modules() if isinstance(module, nn.InstanceNorm2d)}
    assert found == {"bn1", f"layer1.{last[0]}.IN", f"layer2.{last[1]}.IN"}


def slow_norm(maps, dims):
    return (maps - maps.mean(dims, keepdim=True)) / (maps.var(dims, unbiased=False, keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize("ibn", ["none", "a", "b"])
def test_basic_block_by_hand(ibn):
    torch.manual_seed(1)
    block = BasicBlock(4, 4, ibn=ibn).double()
    maps = torch.randn(3, 4, 5, 3).double()
    hidden = nn.functional.conv2d(maps, block.conv1.weight, padding=1)
    if ibn == "a":
        hidden = torch.cat([slow_norm(hidden[:, :2], (2, 3)), slow_norm(hidden[:, 2:], (0, 2, 3))], 1)
    else:
        hidden = slow_norm(hidden, (0, 2, 3))
    out = slow_norm(nn.functional.conv2d(hidden.relu(), block.conv2.weight, padding=1), (0, 2, 3)) + maps
    if ibn == "b":
        out = slow_norm(out, (2, 3))
    torch.testing.assert_close(block(maps), out.relu())


def test_bottleneck_by_hand_with_stride_and_shortcut():
    torch.manual_seed(1)
    block = Bottleneck(6, 2, stride=2, ibn="b").double()
    maps = torch.randn(3, 6, 4, 4).double()
    conv = nn.functional.conv2d
    out = slow_norm(conv(maps, block.conv1.weight), (0, 2, 3)).relu()
    out = slow_norm(conv(out, block.conv2.weight, stride=2, padding=1), (0, 2, 3)).relu()
    out = slow_norm(conv(out, block.conv3.weight), (0, 2, 3))
    shortcut = slow_norm(conv(maps, block.downsample[0].weight, stride=2), (0, 2, 3))
    torch.testing.assert_close(block(maps), slow_norm(out + shortcut, (2, 3)).relu())


def test_width_scales_every_layer():
    narrow = ResNet(18, width=16)
    assert narrow.out_channels == 128
    assert narrow.layer3[0].conv2.weight.shape == (64, 64, 3, 3)
    assert count(narrow) < count(ResNet(18, width=32)) / 3


@pytest.mark.parametrize("ibn", ["none", "a"])
def test_channels_last_stays_and_gives_the_same(ibn):
    torch.manual_seed(0)
    model = ResNet(18, ibn, width=8)
    images = torch.randn(2, 3, 64, 32)
    expected = model(images)
    last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected, atol=1e-4, rtol=1e-4)


def test_weights_are_initialised_as_for_imagenet():
    torch.manual_seed(0)
    weight = ResNet(18, width=32).layer4[1].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)


def test_it_is_registered():
    assert isinstance(BACKBONE.build({"type": "ResNet", "depth": 18, "width": 8}), ResNet)


@pytest.mark.parametrize("option", [{"depth": 49}, {"ibn": "c"}, {"last_stride": 3}, {"width": 7}, {"width": 0.5}])
def test_wrong_options_are_named(option):
    with pytest.raises(ConfigError, match=next(iter(option))):
        ResNet(**option)


@pytest.mark.parametrize(
    "option, words",
    [
        ({"width": 16, "pretrained": "imagenet"}, "needs width: 64"),
        ({"ibn": "a", "pretrained": "torchvision"}, "no weights for ibn: a"),
        ({"pretrained": "ibn_net"}, "no weights for ibn: none"),
        ({"pretrained": "nowhere/my.pth"}, r"no such weight file, checkpoint or run: nowhere/my\.pth"),
    ],
)
def test_weights_that_do_not_exist(option, words):
    with pytest.raises(WeightsError, match=words):
        ResNet(18, **option)


@pytest.mark.parametrize(
    "depth, ibn, url",
    [
        (50, "none", "https://download.pytorch.org/models/resnet50-0676ba61.pth"),
        (
            50,
            "a",
            "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/resnet50_ibn_a-d9d0bb7b.pth",
        ),
    ],
)
def test_imagenet_means_the_weights_that_fit(monkeypatch, tmp_path, depth, ibn, url):
    with torch.device("meta"):
        model = ResNet(depth, ibn)
    assert model._source("imagenet")[0] == url


@pytest.mark.parametrize("ibn", ["none", "a"])
def test_pretrained_loads_a_file_put_by_hand(monkeypatch, tmp_path, ibn):
    """A file of the right name in the folder is used without network; here its checksum is made to fit."""
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path))
    reference = ResNet(18, ibn)
    state = {f"module.{name}": value for name, value in reference.state_dict().items()}
    state["module.fc.weight"] = torch.zeros(1000, 512)
    with torch.device("meta"):
        name = ResNet(18, ibn)._source("imagenet")[1]
    torch.save(state, tmp_path / name)
    digest = name.rpartition("-")[2].removesuffix(".pth")
    monkeypatch.setattr("reidzoo.weights.cache.sha256_of", lambda path: digest + "0" * 56)
    monkeypatch.setattr("reidzoo.weights.loading.checked_content", lambda path: None)
    loaded = ResNet(18, ibn, pretrained="imagenet")
    for name, value in reference.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_stem_of_mmt_and_of_fastreid():
    """MMT's ResNet-50 has no ReLU in the stem; fastreid's max pooling has no padding on the left and the top."""
    torch.manual_seed(0)
    images = torch.randn(1, 3, 64, 32)
    plain, linear = ResNet(18, width=8), ResNet(18, width=8, stem_relu=False)
    ceil = ResNet(18, width=8, stem_pool="ceil")
    for model in (linear, ceil):
        model.load_state_dict(plain.state_dict())
    plain, linear, ceil = plain.eval(), linear.eval(), ceil.eval()
    stem = plain.bn1(plain.conv1(images))
    rest = nn.Sequential(plain.layer1, plain.layer2, plain.layer3, plain.layer4)
    pool = nn.functional.max_pool2d
    torch.testing.assert_close(linear(images), rest(pool(stem, 3, 2, 1)))
    torch.testing.assert_close(ceil(images), rest(pool(stem.relu(), 3, 2, ceil_mode=True)))
    assert linear(images).shape == ceil(images).shape == plain(images).shape
    for other in (linear, ceil):
        assert not torch.allclose(other(images), plain(images))
    with pytest.raises(ConfigError, match="stem_pool must be"):
        ResNet(stem_pool="none")
