"""SOLIDER-REID's checkpoints against the plain network under its names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.backbones import SemanticSwin
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

from ...plain_swin import PlainSwin, randomise

pytest.importorskip("timm")


class Solider(nn.Module):
    """The original, with the controller or without."""

    def __init__(self, semantic=True):
        super().__init__()
        self.base = PlainSwin(semantic)
        self.bottleneck = nn.BatchNorm1d(64)
        self.classifier = nn.Linear(64, 5, bias=False)

    def forward(self, images, weight=0.2, after=False):
        feat = self.base(images, weight).mean((2, 3))
        return self.bottleneck(feat) if after else feat


def original(semantic=True):
    made = randomise(Solider(semantic))
    made.bottleneck.running_mean.normal_(generator=torch.Generator().manual_seed(1))
    return made


@pytest.mark.parametrize("neck", ["before", "after"])
@pytest.mark.parametrize("weight", [0.2, 0.7, None])
@torch.no_grad()
def test_it_embeds_as_the_original(images, check, neck, weight):
    made = original(weight is not None)
    options = {} if weight in (0.2, None) else {"semantic_weight": str(weight)}
    file = check("solider", made.state_dict(), made(images, weight, neck == "after"), neck=neck, **options)
    assert file.config["BACKBONE"]["semantic_weight"] == weight and file.config["INPUT"]["SIZE"] == [384, 128]
    assert file.config["INPUT"]["MEAN"] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "name, dim, depths, heads",
    [
        ("swin_tiny_patch4_window7_224", 96, (2, 2, 6, 2), (3, 6, 12, 24)),
        ("swin_small_patch4_window7_224", 96, (2, 2, 18, 2), (3, 6, 12, 24)),
        ("swin_base_patch4_window7_224", 128, (2, 2, 18, 2), (4, 8, 16, 32)),
    ],
)
@pytest.mark.slow
def test_the_authors_networks_are_found_by_their_tensors(name, dim, depths, heads):
    with torch.device("meta"):
        state = {f"base.{key}": value for key, value in PlainSwin(True, dim, depths, heads).state_dict().items()}
    file = convert_state(FAMILIES["solider"], state, {})
    assert file.config["BACKBONE"] == {"type": "SemanticSwin", "name": name, "semantic_weight": 0.2, "pretrained": ""}


@pytest.mark.parametrize(
    "name", ["base.stages.1.blocks.0.ffn.layers.0.0.weight", "base.semantic_embed_b.1.bias", "base.norm3.bias"]
)
@pytest.mark.slow
def test_exactness(check_exactness, name):
    check_exactness("solider", original().state_dict(), name)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"base.stages.0.downsample.reduction.weight": torch.zeros(16, 8)}, r"reduction.weight is \[16, 8\], here"),
        ({"base.stages.0.downsample.norm.weight": torch.zeros(7)}, r"norm.weight is \[7\], here \[32\]"),
        ({"base.patch_embed.projection.weight": None}, "no base of SOLIDER's Swin"),
        ({"fcneck.weight": torch.zeros(8, 64)}, "REDUCE_FEAT_DIM"),
        ({"backbone.stages.0.blocks.0.norm1.weight": torch.zeros(8)}, "BACKBONE: {type: SemanticSwin"),
    ],
)
def test_what_cannot_be_converted(change, message):
    state = {name: value for name, value in {**original().state_dict(), **change}.items() if value is not None}
    with pytest.raises(WeightsError, match=message):
        convert_state(FAMILIES["solider"], state, {})


@pytest.mark.slow
def test_a_training_starts_with_the_backbone_of_a_converted_model(tmp_path):
    file = convert_state(FAMILIES["solider"], original().state_dict(), {})
    torch.save(file.state, tmp_path / "solider.pth")
    node = {key: value for key, value in file.config["BACKBONE"].items() if key not in ("type", "pretrained")}
    backbone = SemanticSwin(**node, pretrained=str(tmp_path / "solider.pth"))
    assert all(torch.equal(value, file.state[f"backbone.{name}"]) for name, value in backbone.state_dict().items())
