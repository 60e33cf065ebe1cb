"""CLIP-ReID's image side against plain layers under CLIP's names."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from reidzoo.backbones.side_information import side_information
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

pytest.importorskip("timm")

CAMERAS, UNKNOWN = torch.tensor([2, 0]), torch.tensor([-1, -1])


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, dim // 64, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Module()
        self.mlp.c_fc, self.mlp.c_proj = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, tokens):
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        hidden = self.mlp.c_fc(self.ln_2(tokens))
        return tokens + self.mlp.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class ClipReid(nn.Module):
    def __init__(self, stride=16, sides=0, dim=128, outputs=32, depth=2):
        super().__init__()
        tokens = ((64 - 16) // stride + 1) * ((32 - 16) // stride + 1)
        encoder = nn.Module()
        encoder.conv1 = nn.Conv2d(3, dim, 16, stride, bias=False)
        encoder.class_embedding = nn.Parameter(torch.empty(dim))
        encoder.positional_embedding = nn.Parameter(torch.empty(tokens + 1, dim))
        encoder.ln_pre, encoder.ln_post = nn.LayerNorm(dim), nn.LayerNorm(dim)
        encoder.transformer = nn.Module()
        encoder.transformer.resblocks = nn.Sequential(*(Block(dim) for _ in range(depth)))
        encoder.proj = nn.Parameter(torch.empty(dim, outputs))
        self.image_encoder = encoder
        self.bottleneck, self.bottleneck_proj = nn.BatchNorm1d(dim), nn.BatchNorm1d(outputs)
        self.classifier = nn.Linear(dim, 5, bias=False)
        self.classifier_proj = nn.Linear(outputs, 5, bias=False)
        self.prompt_learner = nn.Linear(3, 3)
        self.text_encoder = nn.Linear(3, 3)
        if sides:
            self.cv_embed = nn.Parameter(torch.empty(sides, dim))

    def forward(self, images, side=None, weight=1.0, after=False):
        encoder = self.image_encoder
        token = encoder.class_embedding.expand(len(images), 1, -1)
        if side is not None:
            token = token + weight * self.cv_embed[side][:, None]
        tokens = torch.cat([token, encoder.conv1(images).flatten(2).transpose(1, 2)], dim=1)
        tokens = encoder.transformer.resblocks(encoder.ln_pre(tokens + encoder.positional_embedding))
        feat = encoder.ln_post(tokens)[:, 0]
        projected = feat @ encoder.proj
        if after:
            feat, projected = self.bottleneck(feat), self.bottleneck_proj(projected)
        return torch.cat([feat, projected], dim=1)


@pytest.mark.parametrize("neck", ["before", "after"])
@pytest.mark.parametrize("stride, sides", [(16, 0), (12, 3)])
@torch.no_grad()
def test_it_embeds_as_the_original(originals, images, load, neck, stride, sides):
    original = originals.make(ClipReid, stride=stride, sides=sides)
    side = CAMERAS if sides else None
    file = convert_state(FAMILIES["clip_reid"], original.state_dict(), {"size": "64x32", "neck": neck})
    with side_information(side, UNKNOWN):
        found = load(file).embed(images)
    expected = functional.normalize(original(images, side, 1.0, neck == "after"))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)
    assert file.info["dropped"]["text side"] == 4 and file.config["BACKBONE"]["stride"] == stride


@pytest.mark.parametrize("name", ["image_encoder.transformer.resblocks.1.mlp.c_fc.bias", "image_encoder.ln_pre.weight"])
def test_exactness(originals, check_exactness, name):
    check_exactness("clip_reid", originals.make(ClipReid).state_dict(), name, size="64x32")


@pytest.mark.parametrize(
    "change, options, message",
    [
        ({}, {}, "position embeddings of 8 patches, which images of 256x128 do not have"),
        ({"image_encoder.proj": None}, {"size": "64x32"}, "no image_encoder of CLIP-ReID"),
        ({"image_encoder.proj": torch.zeros(3)}, {"size": "64x32"}, "as no ViT of CLIP has"),
        ({"image_encoder.layer1.0.conv1.weight": torch.zeros(1)}, {"size": "64x32"}, "CLIP's ResNet-50"),
        ({"bottleneck_proj.bias": None}, {"size": "64x32", "neck": "after"}, "no bottleneck_proj.bias"),
    ],
)
def test_what_cannot_be_converted(originals, change, options, message):
    state = {**originals.make(ClipReid).state_dict(), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(WeightsError, match=message):
        convert_state(FAMILIES["clip_reid"], state, options)
