"""Embedder: composition, embedding, classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidzoo.errors import ConfigError
from reidzoo.models.embedder import Embedder
from reidzoo.registry import BACKBONE as BACKBONES
from reidzoo.registry import HEAD, MODEL

BACKBONE = {"type": "ResNet", "depth": 18, "width": 8}


def test_it_composes():
    model = MODEL.build({"type": "Embedder", "backbone": BACKBONE, "head": {"type": "BNNeck"}, "num_classes": 5})
    outputs = model(torch.randn(3, 3, 64, 32))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "feat": (3, 64),
        "embedding": (3, 64),
        "logits": (3, 5),
    }
    assert model.num_classes == 5 and model.embedding_dim == 64
    assert {name.partition(".")[0] for name in model.state_dict()} == {"backbone", "head"}


def test_embed_is_normalised_and_keeps_the_mode():
    model = Embedder(BACKBONE, {"type": "BNNeck"}, 5).eval()
    images = torch.randn(3, 3, 64, 32)
    embedding = model.embed(images)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    expected = model(images)["embedding"]
    torch.testing.assert_close(embedding, expected / expected.norm(dim=1, keepdim=True))
    assert not model.training


def test_embed_is_float32_under_autocast():
    model = Embedder({"type": "OSNet", "width": 0.25}, {"type": "LinearHead"}).eval()
    with torch.autocast("cpu", torch.bfloat16):
        embedding = model.embed(torch.randn(2, 3, 64, 32))
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_reset_classifier_passes_through():
    model = Embedder(BACKBONE, {"type": "BNNeck"}, 5)
    model.reset_classifier(2, torch.ones(2, 64))
    assert model.num_classes == 2
    torch.testing.assert_close(model.head.classifier.weight.norm(dim=1), torch.ones(2))


def test_wrong_nodes_are_config_errors():
    with pytest.raises(ConfigError, match="Did you mean ResNet"):
        Embedder({"type": "ResNett"}, {"type": "BNNeck"})
    with pytest.raises(ConfigError, match="cannot take these arguments"):
        Embedder(BACKBONE, {"type": "BNNeck", "poling": "avg"})


class Silent(nn.Module):
    """A backbone or a head that says nothing of itself."""

    def __init__(self, in_channels=3, num_classes=0):
        super().__init__()
        self.layer = nn.Conv2d(in_channels, 4, 3)


class Plain:
    """A backbone that is no module."""

    out_channels = 4


class Fixed(Silent):
    """A head that keeps its classifier."""

    embedding_dim = 4


@pytest.mark.parametrize(
    ("backbone", "head", "said"),
    [
        ("Silent", "BNNeck", "BACKBONE: Silent has no whole number out_channels; .* how large C of its feature map is"),
        ("Plain", "BNNeck", "BACKBONE: Plain is not an nn.Module"),
        ("ResNet", "Silent", "HEAD: Silent has no whole number embedding_dim; .* how large D of its embedding is"),
    ],
)
def test_a_part_that_lacks_what_its_contract_asks_for_is_named(monkeypatch, backbone, head, said):
    for registry, cls in ((BACKBONES, Silent), (BACKBONES, Plain), (HEAD, Silent)):
        monkeypatch.setitem(registry.module_dict, cls.__name__, cls)
    with pytest.raises(ConfigError, match=said):
        Embedder({"type": backbone}, {"type": head})


class FromArrays(nn.Conv2d):
    """A backbone, or a head, whose number of channels was read from an array."""

    def __init__(self, in_channels=3, num_classes=0):
        super().__init__(in_channels, 4, 1)
        self.classifier, self.out_channels, self.embedding_dim = None, np.int64(4), np.int64(4)


def test_whole_numbers_may_be_numpys(monkeypatch):
    for registry in (BACKBONES, HEAD):
        monkeypatch.setitem(registry.module_dict, "FromArrays", FromArrays)
    model = Embedder({"type": "FromArrays"}, {"type": "FromArrays"})
    assert type(model.embedding_dim) is int
    assert Embedder({"type": "FromArrays"}, {"type": "BNNeck"}, 2)(torch.randn(2, 3, 8, 4))["logits"].shape == (2, 2)


def test_a_head_without_reset_classifier_is_named_when_it_is_asked_for(monkeypatch):
    monkeypatch.setitem(HEAD.module_dict, "Fixed", Fixed)
    with pytest.raises(ConfigError, match="HEAD: Fixed has no reset_classifier"):
        Embedder(BACKBONE, {"type": "Fixed"}).reset_classifier(2)


class Tokens(nn.Module):
    """A backbone whose output is no feature map."""

    out_channels = 4

    def __init__(self, output=""):
        super().__init__()
        self.output = output

    def forward(self, images):
        maps = images.mean(1, keepdim=True).expand(-1, 4, -1, -1)
        outputs = {"tokens": maps.flatten(2), "pooled": maps.mean((2, 3)), "channels": maps[:, :3], "list": [maps]}
        return outputs[self.output]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("tokens", r"a tensor \(2, 4, 32\)"), ("pooled", r"a tensor \(2, 4\)"),
        ("channels", r"a tensor \(2, 3, 8, 4\)"), ("list", "a list"),
    ],
)  # fmt: skip
def test_a_backbone_with_another_output_is_named(monkeypatch, output, said):
    monkeypatch.setitem(BACKBONES.module_dict, "Tokens", Tokens)
    model = Embedder({"type": "Tokens", "output": output}, {"type": "BNNeck"}, num_classes=2)
    for call in (model, model.embed):
        with pytest.raises(ConfigError, match=rf"BACKBONE: Tokens returned {said} .*\(2, 4, h, w\)"):
            call(torch.zeros(2, 3, 8, 4))


def test_a_library_s_own_network_is_pointed_to_its_backbone():
    with pytest.raises(ConfigError, match=r"no whole number out_channels.* see TorchvisionBackbone"):
        Embedder({"type": "torchvision.models.mobilenet_v2"}, {"type": "BNNeck"})


@pytest.mark.parametrize(
    "head, said",
    [
        ({"type": "MGNHead", "width": 4}, "MGNHead takes 3 maps.* ResNet returns 1; .*HEAD.one_map true"),
        ({"type": "DualBranchHead", "width": 4}, "DualBranchHead takes 2 maps.* num_maps is 2$"),
    ],
)
def test_one_map_is_not_cut_into_those_of_branches(head, said):
    plain, branches = {**BACKBONE, "width": 12}, {"type": "MultiBranchResNet", "depth": 18, "width": 4}
    with pytest.raises(ConfigError, match=said):
        Embedder(plain, head)
    if head["type"] == "MGNHead":
        Embedder(plain, {**head, "one_map": True})
        Embedder(branches, head)
        Embedder(branches, {"type": "BNNeck"})
        with pytest.raises(ConfigError, match=r"takes 3 maps.* returns 2"):
            Embedder({**branches, "branches": 2, "width": 12}, head)


class OtherName(nn.Module):
    """A head whose classifier has another name."""

    embedding_dim = 4

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.identities = nn.Linear(in_channels, max(num_classes, 1))


class Outputs(OtherName):
    """A head that returns what it is told to."""

    classifier = None

    def __init__(self, in_channels, num_classes, output):
        super().__init__(in_channels, num_classes)
        self.output = output

    def forward(self, maps):
        feat = maps.mean((2, 3))[:, :4]
        outputs = {"tensor": feat, "feat": {"feat": feat}, "narrow": {"embedding": feat[:, :3]}, "tuple": (feat, feat)}
        return outputs[self.output]


def test_a_classifier_by_another_name(monkeypatch):
    monkeypatch.setitem(HEAD.module_dict, "OtherName", OtherName)
    with pytest.raises(
        ConfigError, match=r"OtherName has no attribute classifier; identities\.weight has a row for each"
    ):
        Embedder(BACKBONE, {"type": "OtherName"}, num_classes=3)
    Embedder(BACKBONE, {"type": "OtherName"}, num_classes=0)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("tensor", "a Tensor"), ("tuple", "a tuple"), ("feat", "a dict of feat"),
        ("narrow", r"an embedding \(2, 3\)"),
    ],
)  # fmt: skip
def test_a_head_with_another_output_is_named(monkeypatch, output, said):
    monkeypatch.setitem(HEAD.module_dict, "Outputs", Outputs)
    model = Embedder(BACKBONE, {"type": "Outputs", "output": output}, num_classes=2)
    for call in (model, model.embed):
        with pytest.raises(ConfigError, match=rf"HEAD: Outputs returned {said} for 2 images; .*\(2, 4\)"):
            call(torch.zeros(2, 3, 32, 16))


def test_class_means_that_a_head_cannot_begin_with_are_answered():
    model = Embedder(BACKBONE, {"type": "PCBHead", "parts": 2, "width": 4, "embedding": "pooled"}, num_classes=2)
    with pytest.raises(
        ConfigError, match=r"HEAD: PCBHead.*2 x 4 features; set the classifier of PseudoLabelHook to random"
    ):
        model.reset_classifier(3, torch.ones(3, model.embedding_dim))
    with pytest.raises(ValueError, match="num_classes"):
        model.reset_classifier(-1)
    model.reset_classifier(3)
    assert model.num_classes == 3
