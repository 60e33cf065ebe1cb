"""TransReID's checkpoints, with and without its parts, against plain layers under its names."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from reidzoo.backbones.side_information import side_information
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

from .vits import Base, Block

pytest.importorskip("timm")

CAMERAS, UNKNOWN = torch.tensor([2, 0]), torch.tensor([-1, -1])


class TransReID(nn.Module):
    """The original: ``jpm`` adds the two branches and four more necks."""

    def __init__(self, size=(64, 32), stride=16, sides=0, jpm=False, dim=192):
        super().__init__()
        self.jpm = jpm
        self.base = Base(size, stride, sides)
        self.bottleneck = nn.BatchNorm1d(dim)
        self.classifier = nn.Linear(dim, 5, bias=False)
        if jpm:
            self.b1 = nn.Sequential(Block(dim, 3), nn.LayerNorm(dim, eps=1e-6))
            self.b2 = nn.Sequential(Block(dim, 3), nn.LayerNorm(dim, eps=1e-6))
            for n in range(1, 5):
                self.add_module(f"bottleneck_{n}", nn.BatchNorm1d(dim))
                self.add_module(f"classifier_{n}", nn.Linear(dim, 5, bias=False))

    def forward(self, images, side=None, weight=3.0, after=False, shift=5):
        if not self.jpm:
            feat = self.base.norm(self.base(images, side, weight))[:, 0]
            return self.bottleneck(feat) if after else feat
        tokens = self.base(images, side, weight, blocks=-1)
        features = [self.b1(tokens)[:, 0]]
        patches = torch.cat([tokens[:, shift:], tokens[:, 1:shift]], dim=1) if shift else tokens[:, 1:]
        length = patches.shape[1] // 4
        if shift:
            if patches.shape[1] % 2:
                patches = torch.cat([patches, patches[:, -2:-1]], dim=1)
            patches = torch.stack(patches.chunk(2, dim=1), dim=2).flatten(1, 2)
        for n in range(4):
            part = patches[:, n * length : (n + 1) * length]
            features.append(self.b2(torch.cat([tokens[:, :1], part], dim=1))[:, 0])
        if after:
            necks = [self.bottleneck, *(getattr(self, f"bottleneck_{n}") for n in range(1, 5))]
            features = [neck(feature) for neck, feature in zip(necks, features)]
        return torch.cat([features[0], *(feature / 4 for feature in features[1:])], dim=1)


def compared(file, load, images, expected, cameras=None):
    with torch.no_grad(), side_information(cameras, UNKNOWN):
        found = load(file).embed(images)
    torch.testing.assert_close(found, functional.normalize(expected), rtol=1e-3, atol=2e-5)
    return file


@pytest.mark.parametrize("jpm", [False, True], ids=["plain", "jpm"])
@pytest.mark.parametrize("neck", ["before", "after"])
@pytest.mark.parametrize("stride, sides", [(16, 0), (12, 3)])
@torch.no_grad()
def test_it_embeds_as_the_original(originals, images, load, jpm, neck, stride, sides):
    original = originals.make(TransReID, stride=stride, sides=sides, jpm=jpm)
    side = CAMERAS if sides else None
    expected = original(images, side, 2.0, neck == "after")
    options = {"size": "64x32", "neck": neck, "sie_weight": "2.0"}
    file = convert_state(FAMILIES["transreid"], original.state_dict(), options)
    compared(file, load, images, expected, side)
    assert file.config["BACKBONE"]["stride"] == stride and file.config["INPUT"]["MEAN"] == [0.5, 0.5, 0.5]
    assert file.config["BACKBONE"]["type"] == ("JigsawViT" if jpm else "TimmBackbone")


@torch.no_grad()
def test_without_rearrangement(originals, images, load):
    original = originals.make(TransReID, jpm=True)
    options = {"size": "64x32", "rearrange": "no"}
    file = convert_state(FAMILIES["transreid"], original.state_dict(), options)
    compared(file, load, images, original(images, shift=0))


@torch.no_grad()
def test_viewpoints_and_cameras(originals, images, load):
    original = originals.make(TransReID, sides=16)
    options = {"size": "64x32", "sie": "cameras_and_views"}
    file = convert_state(FAMILIES["transreid"], original.state_dict(), options)
    assert file.config["BACKBONE"]["sie"] == {"cameras": 2, "views": 8, "weight": 3.0, "tokens": "all"}
    with side_information(torch.tensor([1, 0]), torch.tensor([3, 7])):
        found = load(file).embed(images)
    expected = functional.normalize(original(images, torch.tensor([1 * 8 + 3, 7])))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    "jpm, name", [(False, "base.blocks.1.mlp.fc1.weight"), (True, "b2.0.attn.proj.bias"), (True, "bottleneck_2.weight")]
)
@pytest.mark.slow
def test_exactness(originals, check_exactness, jpm, name):
    check_exactness("transreid", originals.make(TransReID, jpm=jpm).state_dict(), name, size="64x32")


@pytest.mark.parametrize(
    "change, options, message",
    [
        ({}, {}, "position embeddings of 8 patches, which images of 256x128 do not have"),
        ({"base.blocks.0.attn.qkv.bias": None}, {"size": "64x32"}, "vit_small, of 8 blocks"),
        ({"base.pos_embed": None}, {"size": "64x32"}, "no base.pos_embed of a ViT"),
        ({"base.part_token1": torch.zeros(1)}, {"size": "64x32"}, "part tokens"),
        ({"base.layer1.0.conv1.weight": torch.zeros(1)}, {"size": "64x32"}, "a ResNet"),
        ({"base.sie_embed": torch.zeros(6, 1, 192)}, {"size": "64x32", "sie": "cameras_and_views"}, "8 views each"),
    ],
)
def test_what_cannot_be_converted(originals, change, options, message):
    state = {**originals.make(TransReID).state_dict(), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(WeightsError, match=message):
        convert_state(FAMILIES["transreid"], state, options)
