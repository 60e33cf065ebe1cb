from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


class NonLocal(nn.Module):
    """With one hidden channel, as their code has it."""

    def __init__(self, channels):
        super().__init__()
        self.g, self.theta, self.phi = (nn.Conv2d(channels, 1, 1) for _ in range(3))
        self.W = nn.Sequential(nn.Conv2d(1, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, maps):
        batch, _, height, width = maps.shape
        g, theta, phi = (conv(maps).reshape(batch, -1) for conv in (self.g, self.theta, self.phi))
        pairs = theta[:, :, None] * phi[:, None, :] / (height * width)
        drawn = (pairs @ g[:, :, None]).reshape(batch, 1, height, width)
        return maps + self.W(drawn)


class Backbone(nn.Module):
    def __init__(self, resnet, depth, ibn, blocks, ceil):
        super().__init__()
        net = resnet(depth, ibn)
        for name in ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(net, name))
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True) if ceil else nn.MaxPool2d(3, 2, 1)
        for number, count in enumerate(blocks, 1):
            channels = 2048 // 2 ** (4 - number)
            setattr(self, f"NL_{number}", nn.ModuleList(NonLocal(channels) for _ in range(count)))

    def forward(self, images):
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for number in range(1, 5):
            layer, others = getattr(self, f"layer{number}"), getattr(self, f"NL_{number}")
            for place, block in enumerate(layer):
                maps = block(maps)
                # The last of the non-local blocks stands behind the last block.
                behind = place - (len(layer) - len(others))
                if behind >= 0:
                    maps = others[behind](maps)
        return maps


class GeM(nn.Module):
    def __init__(self, learnt):
        super().__init__()
        self.p = nn.Parameter(torch.empty(1)) if learnt else 3.0

    def forward(self, maps):
        return maps.clamp(min=1e-6).pow(self.p).mean((2, 3)) ** (1 / self.p)


class FastReID(nn.Module):
    """``old`` is version 0.1: the neck is ``bnneck``, the mean and the standard deviation are saved."""

    def __init__(self, resnet, depth=50, ibn=False, blocks=(0, 0, 0, 0), pool="avg", old=False, stem="auto"):
        super().__init__()
        ceil = not old if stem == "auto" else stem == "ceil"
        self.backbone = Backbone(resnet, depth, ibn, blocks, ceil)
        features = 2048 if depth >= 50 else 512
        self.heads = nn.Module()
        if pool != "avg":
            self.heads.pool_layer = GeM(pool == "learnt gem")
        neck = nn.BatchNorm2d(features)
        if old:
            self.heads.bnneck = neck
            self.heads.classifier = nn.Linear(features, 9, bias=False)
            self.register_buffer("pixel_mean", torch.empty(1, 3, 1, 1))
            self.register_buffer("pixel_std", torch.empty(1, 3, 1, 1))
        else:
            self.heads.bottleneck = nn.Sequential(neck)
            self.heads.weight = nn.Parameter(torch.empty(9, features))

    def forward(self, images):
        heads, maps = self.heads, self.backbone(images)
        pooled = heads.pool_layer(maps) if hasattr(heads, "pool_layer") else maps.mean((2, 3))
        neck = heads.bnneck if hasattr(heads, "bnneck") else heads.bottleneck
        return neck(pooled[:, :, None, None]).flatten(1)


def blocks_of(model):
    return [block for block in model.modules() if isinstance(block, NonLocal)]


def fit(norm, _conv, _inputs, maps):
    norm.running_mean.copy_(maps.mean((0, 2, 3)))
    norm.running_var.copy_(maps.var((0, 2, 3)) + 0.1)


@pytest.fixture
def make(originals, images):
    def build(**options):
        model = originals.make(FastReID, originals.resnet, **options)
        state = model.state_dict()
        if "pixel_mean" in state:
            state["pixel_mean"].copy_(torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1))
            state["pixel_std"].copy_(torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1))
        if "heads.pool_layer.p" in state:
            state["heads.pool_layer.p"].fill_(2.5)
        # A product of three maps grows out of all bounds without statistics that fit it.
        hooks = [block.W[0].register_forward_hook(partial(fit, block.W[1])) for block in blocks_of(model)]
        with torch.no_grad():
            model(images)
        for hook in hooks:
            hook.remove()
        return model

    return build


BLOCKS = (0, 2, 3, 0)


@pytest.mark.parametrize(
    "original, options",
    [
        ({}, {"size": "256x128", "pool": "avg"}),  # BoT
        ({"ibn": True, "old": True}, {"size": "256x128", "pool": "avg"}),
        ({"pool": "gem"}, {"size": "256x256", "pool": "gem"}),  # BoT on VehicleID
        ({"blocks": BLOCKS, "pool": "gem"}, {"size": "256x128", "pool": "gem"}),  # AGW
        ({"blocks": BLOCKS, "pool": "learnt gem", "old": True, "ibn": True}, {"size": "256x128"}),  # AGW of 0.1
        ({"blocks": BLOCKS, "pool": "learnt gem", "ibn": True}, {"size": "384x128"}),  # SBS
        ({"depth": 18, "stem": "padded"}, {"size": "256x128", "pool": "avg", "stem": "padded"}),
        ({"depth": 18, "old": True, "stem": "ceil"}, {"size": "256x128", "pool": "avg", "stem": "ceil"}),
    ],
)
@pytest.mark.slow
def test_embeds_as_the_original(make, check, images, original, options):
    model = make(**original)
    with torch.no_grad():
        expected = model(images)
    file = check("fastreid", model.state_dict(), expected, **options)
    assert file.config["INPUT"]["SIZE"] == [int(side) for side in options["size"].split("x")]
    assert file.config["INPUT"]["INTERPOLATION"] == "bicubic"
    assert file.config["INPUT"]["MEAN"] == pytest.approx([0.485, 0.456, 0.406], abs=1e-6)
    assert file.config["INPUT"]["STD"] == pytest.approx([0.229, 0.224, 0.225], abs=1e-6)
    assert (
        file.config["BACKBONE"].get("non_local", (0, 0, 0, 0)) == list(original.get("blocks", ()))
        or "blocks" not in original
    )
    assert file.info["dropped"]["identity classifier"] == 1


@pytest.mark.slow
def test_each_non_local_block_shows_in_the_embedding(make, images):
    """What the test above would miss if it were too small."""
    model = make(blocks=BLOCKS)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(images))
        for block in blocks_of(model):
            norm = block.W[1].weight.clone()
            block.W[1].weight.zero_()
            assert not torch.allclose(torch.nn.functional.normalize(model(images)), expected, atol=1e-3)
            block.W[1].weight.copy_(norm)


@pytest.mark.slow
def test_another_normalisation_in_the_file_is_kept(make):
    state = make(depth=18, old=True).state_dict()
    state["pixel_mean"].fill_(127.5)
    state["pixel_std"].fill_(127.5)
    inputs = convert_state(FAMILIES["fastreid"], state, {"size": "256x128", "pool": "avg"}).config["INPUT"]
    assert inputs["MEAN"] == inputs["STD"] == [0.5, 0.5, 0.5]


@pytest.mark.slow
def test_exactness(make, check_exactness):
    state = make(depth=18, pool="learnt gem").state_dict()
    check_exactness("fastreid", state, "backbone.layer2.1.conv2.weight", size="256x128")
    check_exactness("fastreid", state, "heads.bottleneck.0.running_mean", size="256x128")
    state = make(blocks=BLOCKS, pool="gem", old=True).state_dict()
    check_exactness("fastreid", state, "backbone.NL_3.1.W.1.bias", size="256x128", pool="gem")


@pytest.mark.slow
def test_what_the_file_does_not_say_has_to_be_given(make):
    state = make(depth=18).state_dict()
    with pytest.raises(WeightsError, match="256x128 for BoT and AGW, 384x128 for SBS"):
        convert_state(FAMILIES["fastreid"], state, {"pool": "avg"})
    with pytest.raises(WeightsError, match="does not say how its model pools"):
        convert_state(FAMILIES["fastreid"], state, {"size": "256x128"})
    state = make(depth=18, pool="learnt gem").state_dict()
    with pytest.raises(WeightsError, match="pools by GeM"):
        convert_state(FAMILIES["fastreid"], state, {"size": "256x128", "pool": "avg"})


@pytest.mark.parametrize(
    "name, shape, feature",
    [
        ("backbone.layer1.0.se.fc.0.weight", (4, 64), "squeeze-and-excitation"),
        ("backbone.conv1.0.weight", (32, 3, 3, 3), "deep stem"),
        ("b1_head.bottleneck.0.weight", (256, 2048, 1, 1), "MGN"),
        ("backbone.blocks.0.norm1.weight", (768,), "vision transformer"),
        ("backbone.conv1.conv.weight", (64, 3, 7, 7), "OSNet"),
        ("heads.bottleneck.1.weight", (512,), "EMBEDDING_DIM"),
    ],
)
def test_features_that_no_model_here_has_are_named(make, name, shape, feature):
    state = {**make(depth=18).state_dict(), name: torch.zeros(shape)}
    with pytest.raises(WeightsError, match=feature):
        convert_state(FAMILIES["fastreid"], state, {"size": "256x128", "pool": "avg"})


def test_a_convolution_in_the_neck_is_refused(make):
    state = {**make(depth=18).state_dict(), "heads.bottleneck.0.weight": torch.zeros(256, 512, 1, 1)}
    with pytest.raises(WeightsError, match="EMBEDDING_DIM"):
        convert_state(FAMILIES["fastreid"], state, {"size": "256x128", "pool": "avg"})
