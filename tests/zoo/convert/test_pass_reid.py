"""PASS's checkpoints against plain layers under its names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

from .vits import Base

pytest.importorskip("timm")


class PassBase(Base):
    def __init__(self, size, stride, dim=192):
        super().__init__(size, stride, 0)
        self.pos_embed = nn.Parameter(torch.empty(1, self.pos_embed.shape[1] - 1, dim))
        self.cls_pos = nn.Parameter(torch.empty(1, 1, dim))
        for part in "123":
            self.register_parameter(f"part_token{part}", nn.Parameter(torch.empty(1, 1, dim)))
            self.register_parameter(f"part{part}_pos", nn.Parameter(torch.empty(1, 1, dim)))

    def forward(self, images):
        own = [self.cls_token, *(getattr(self, f"part_token{part}") for part in "123")]
        places = [self.cls_pos, *(getattr(self, f"part{part}_pos") for part in "123")]
        tokens = self.patch_embed.proj(images).flatten(2).transpose(1, 2) + self.pos_embed
        first = (torch.cat(own, dim=1) + torch.cat(places, dim=1)).expand(len(images), -1, -1)
        tokens = torch.cat([first, tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, :4]


class Pass(nn.Module):
    def __init__(self, stride=16, fusion="cat", many=False, dim=192):
        super().__init__()
        self.fusion = fusion
        self.base = PassBase((64, 32), stride)
        joined = dim if many or fusion == "mean" else 2 * dim
        self.bottleneck = nn.BatchNorm1d(joined)
        self.classifier = nn.Linear(joined, 5, bias=False)
        for part in "123" if many else "":
            self.add_module(f"bottleneck_{part}", nn.BatchNorm1d(dim))

    def forward(self, images, after=False):
        token, *parts = self.base(images).unbind(1)
        local = sum(part / 3 for part in parts)
        feat = torch.cat([token, local], dim=1) if self.fusion == "cat" else (token + local) / 2
        return self.bottleneck(feat) if after else feat


@pytest.mark.parametrize("fusion", ["cat", "mean"])
@pytest.mark.parametrize("neck, stride", [("before", 16), ("after", 12)])
@torch.no_grad()
def test_it_embeds_as_the_original(originals, images, check, fusion, neck, stride):
    original = originals.make(Pass, stride=stride, fusion=fusion)
    expected = original(images, neck == "after")
    file = check("pass", original.state_dict(), expected, size="64x32", neck=neck)
    assert file.config["BACKBONE"]["stride"] == stride and file.config["BACKBONE"]["options"]["reg_tokens"] == 3


@torch.no_grad()
def test_a_neck_for_each_token(originals, images, check):
    original = originals.make(Pass, many=True)
    check("pass", original.state_dict(), original(images), size="64x32", fusion="cat")
    for options, message in (({}, "give the option fusion"), ({"fusion": "cat", "neck": "after"}, "MULTI_NECK")):
        with pytest.raises(WeightsError, match=message):
            convert_state(FAMILIES["pass"], original.state_dict(), {"size": "64x32", **options})


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    check_exactness("pass", originals.make(Pass).state_dict(), "base.blocks.1.mlp.fc1.weight", size="64x32")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"base.part_token2": None}, "no base.part_token2; is it"),
        ({"base.patch_embed.conv.0.weight": torch.zeros(1)}, "a convolutional stem"),
        ({"base.sie_embed": torch.zeros(6, 1, 192)}, "side information"),
        ({"teacher.module.backbone.cls_token": torch.zeros(1)}, "networks of the pre-training"),
    ],
)
def test_what_cannot_be_converted(originals, change, message):
    state = {**originals.make(Pass).state_dict(), **change}
    with pytest.raises(WeightsError, match=message):
        convert_state(FAMILIES["pass"], {k: v for k, v in state.items() if v is not None}, {"size": "64x32"})
