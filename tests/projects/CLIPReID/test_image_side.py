"""The tokens of the last two layers, and the head that takes them apart."""

from __future__ import annotations

import pytest
import torch
from clip_reid import CLIPReIDHead, LastTokens

from reidzoo.errors import ConfigError
from reidzoo.testing import check_backbone, check_head

VIT = {"name": "vit_base_patch16_clip_quickgelu_224"}
SMALL = {"options": {"patch_size": 8, "embed_dim": 16, "depth": 3, "num_heads": 2}}


def test_tokens_are_those_of_the_last_layers():
    backbone = LastTokens(**VIT, **SMALL, size=(32, 16)).eval()
    net, seen = backbone.net, []
    net.blocks[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.randn(2, 3, 32, 16)
    tokens = backbone(images)
    assert tokens.shape == (2, backbone.out_channels, 1, 1)
    last, before = tokens.flatten(1).chunk(2, dim=1)
    torch.testing.assert_close(last, net.forward_features(images)[:, 0])
    torch.testing.assert_close(before, seen[0][:, 0])


def test_overlapping_patches_and_other_sizes():
    backbone = LastTokens(**VIT, **SMALL, stride=4)
    assert backbone(torch.randn(1, 3, 40, 24)).shape == (1, 32, 1, 1)


def test_contracts_are_kept():
    check_backbone({"type": "LastTokens", **VIT, **SMALL})
    check_head({"type": "CLIPReIDHead", "width": 5})


def test_a_network_without_a_class_token_is_named():
    with pytest.raises(ConfigError, match="token"):
        LastTokens("resnet18")


def test_the_head_takes_the_tokens_apart():
    head = CLIPReIDHead(6, 4, width=5).double()
    maps = torch.randn(8, 6, 1, 1, dtype=torch.float64)
    outputs = head(maps)
    token, before = maps.flatten(1).chunk(2, dim=1)
    projected = token @ head.projection.weight.t()
    torch.testing.assert_close(outputs["feat"], token)
    torch.testing.assert_close(outputs["before"], before)
    torch.testing.assert_close(outputs["projected"], projected)
    torch.testing.assert_close(outputs["embedding"], torch.cat([token, projected], 1))
    for name, feature in (("logits", token), ("projected_logits", projected)):
        normed = (feature - feature.mean(0)) / (feature.var(0, unbiased=False) + 1e-5).sqrt()
        weight = head.classifier["token" if name == "logits" else "projected"].weight
        torch.testing.assert_close(outputs[name], normed @ weight.t())
    with pytest.raises(ConfigError, match="tokens of two layers"):
        CLIPReIDHead(7)
