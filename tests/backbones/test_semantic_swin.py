"""SOLIDER's Swin against a plain transcription, at sizes that windows and patches divide and at others."""

from __future__ import annotations

import copy

import pytest
import torch

from reidzoo.backbones import SemanticSwin
from reidzoo.engine.recompute import recompute_blocks
from reidzoo.errors import ConfigError, WeightsError

from ..plain_swin import PlainSwin, randomise

timm = pytest.importorskip("timm")

TINY = {"embed_dim": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 1, 2, 2]}
GENERATOR = torch.Generator().manual_seed(0)
WHOLE, UNEVEN = (torch.randn(n, 3, *size, generator=GENERATOR).double() for n, size in ((1, (224, 224)), (2, (66, 30))))
"""Images whose maps are of whole windows in each stage; images that neither patches nor windows nor mergings divide."""


@pytest.fixture(scope="module")
def plain():
    return randomise(PlainSwin()).double()


@pytest.fixture(scope="module")
def ours(plain, tmp_path_factory):
    file = tmp_path_factory.mktemp("solider") / "checkpoint.pth"
    state = {f"backbone.{name}": value for name, value in plain.state_dict().items()}
    torch.save({"student": {}, "teacher": {**state, "head.mlp.0.weight": torch.ones(1)}, "epoch": 100}, file)
    return SemanticSwin(pretrained=str(file), options=TINY).double().eval()


@pytest.mark.parametrize("images", [WHOLE, UNEVEN], ids=["whole windows", "uneven"])
@torch.no_grad()
def test_it_is_the_authors_network(plain, ours, images):
    torch.testing.assert_close(ours(images), plain(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "departure, images",
    [
        pytest.param({"pad_first": False}, UNEVEN, id="padded before the shift"),
        pytest.param({"shift_last": False}, UNEVEN, id="shifted in the last stage"),
        pytest.param({"unfold": False}, WHOLE, id="merged in unfold's order"),
        pytest.param({"weight": None}, WHOLE, id="controlled"),
        pytest.param({"weight": 1.0}, WHOLE, id="at the weight that is told"),
    ],
)
@torch.no_grad()
def test_each_difference_from_timms_swin_is_there_and_shows(plain, ours, departure, images):
    found = ours(images)
    torch.testing.assert_close(found, plain(images), rtol=1e-4, atol=1e-5)
    assert (plain(images, **departure) - found).abs().mean() > 0.01


def test_a_copy_is_on_its_own(ours):
    copied = copy.deepcopy(ours)  # its blocks have functions that hold a block
    for parameter in copied.parameters():
        parameter.data.zero_()
    with torch.no_grad():
        assert not copied(UNEVEN).any() and ours(UNEVEN).any()


def test_blocks_computed_again_give_the_same_gradients(ours):
    plain, again = copy.deepcopy(ours), copy.deepcopy(ours)
    assert recompute_blocks(again) == 4  # stages
    for backbone in (plain, again):
        backbone(UNEVEN).square().mean().backward()
    for (name, one), two in zip(plain.named_parameters(), again.parameters()):
        torch.testing.assert_close(one.grad, two.grad, msg=name)


def test_the_controller_is_never_trained_and_layers_are_timms(ours):
    parameters = dict(ours.named_parameters())
    assert not [name for name in parameters if "scale" in name or "shift" in name]
    layers = ours.parameter_layers()
    assert layers.keys() == parameters.keys()
    first, second = (layers[f"net.layers.1.{name}.weight"] for name in ("downsample.merging.norm", "blocks.0.norm1"))
    assert layers["net.layers.0.blocks.1.norm1.weight"] < first <= second < layers["net.layers.1.blocks.1.norm1.weight"]


@pytest.mark.parametrize("semantic", [True, False], ids=["controlled", "plain"])
def test_a_run_goes_on_from_its_own_weights(ours, tmp_path, semantic):
    weight = 0.2 if semantic else None
    trained = SemanticSwin(semantic_weight=weight, options=TINY)
    torch.save({f"backbone.{name}": value for name, value in trained.state_dict().items()}, tmp_path / "last.pth")
    again = SemanticSwin(pretrained=str(tmp_path / "last.pth"), semantic_weight=weight, options=TINY)
    assert all(torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values()))


def test_imagenets_weights_are_for_a_swin_without_the_controller(tmp_path):
    state = timm.create_model("swin_tiny_patch4_window7_224", **TINY).state_dict()
    torch.save(state, tmp_path / "timm.pth")
    with pytest.raises(WeightsError, match=r"no semantic controller.*set semantic_weight: null"):
        SemanticSwin(pretrained=str(tmp_path / "timm.pth"), options=TINY)
    without = SemanticSwin(pretrained=str(tmp_path / "timm.pth"), semantic_weight=None, options=TINY)
    assert all(torch.equal(value, state[name]) for name, value in without.net.state_dict().items())


def test_what_does_not_fit_is_named(plain, tmp_path):
    state = {f"backbone.{name}": value for name, value in plain.state_dict().items()}
    del state["backbone.stages.0.blocks.1.ffn.layers.1.bias"]
    state["backbone.stages.1.downsample.norm.weight"] = torch.ones(7)
    torch.save(state, tmp_path / "bent.pth")
    with pytest.raises(WeightsError) as caught:
        SemanticSwin(pretrained=str(tmp_path / "bent.pth"), options=TINY)
    assert "1 missing: net.layers.0.blocks.1.mlp.fc2.bias" in str(caught.value)
    assert "net.layers.2.downsample.merging.norm.weight [7] in the file, [64] in the model" in str(caught.value)
    for arguments, message in (
        ({"name": "resnet18"}, "resnet18 is not a Swin of timm's"),
        ({"name": "swin_tny_patch4_window7_224"}, "Did you mean swin_tiny_patch4_window7_224"),
        ({"semantic_weight": -1.0}, "semantic_weight must be"),
    ):
        with pytest.raises(ConfigError, match=message):
            SemanticSwin(**arguments)
