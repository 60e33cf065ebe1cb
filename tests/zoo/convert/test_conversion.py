"""Recipes, files, what errors list; the families have tests of their own."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import WeightsError
from reidzoo.weights.model_file import read_model_file
from reidzoo.zoo.convert import FAMILIES, check_recipe, convert_file, convert_state


@pytest.fixture
def state(originals):
    return originals.make(originals.Sequential, depth=18, classes=5).state_dict()


def test_recipes():
    family, options = check_recipe("fastreid size=384x128 pool=gem")
    assert family is FAMILIES["fastreid"] and options == {"size": "384x128", "pool": "gem"}
    assert check_recipe("domainmix") == (FAMILIES["domainmix"], {})


@pytest.mark.parametrize(
    "recipe, message",
    [
        ("domanmix", "no converter for 'domanmix'; did you mean domainmix"),
        ("", "no converter for ''"),
        ("domainmix bn=target", "domainmix has no option 'bn'; its options are size"),
        ("spcl size=256x128 bn=both", "bn is one of target, source; got 'both'"),
        ("spcl", "give the size"),
        ("mmt size=256x0", "height x width"),
        ("mmt 256x128", "options are NAME=VALUE"),
        ("mmt size=256x128 size=256x128", "each once"),
    ],
)
def test_wrong_recipes_are_named(recipe, message):
    with pytest.raises(WeightsError, match=message):
        check_recipe(recipe)


@pytest.mark.slow
def test_a_file_goes_in_and_a_model_file_comes_out(state, tmp_path):
    # As nn.DataParallel saves it, beside a numpy number.
    wrapped = {f"module.{name}": value for name, value in state.items()}
    best = torch.tensor(0.4, dtype=torch.float64).numpy()[()]
    torch.save({"state_dict": wrapped, "epoch": 3, "best_mAP": best}, tmp_path / "model_best.pth.tar")
    target = tmp_path / "new" / "a.safetensors"
    written = convert_file("domainmix", tmp_path / "model_best.pth.tar", target, {"name": "a"})
    file = read_model_file(target)
    assert file.config == written.config and file.info == written.info
    assert file.info["name"] == "a" and file.info["original"] == "model_best.pth.tar"
    assert file.info["converted_from"] == "domainmix"
    torch.testing.assert_close(file.state["backbone.layer1.0.conv1.weight"], state["base.4.0.conv1.weight"])
    assert not any("classifier" in name for name in file.state)
    first = target.read_bytes()
    convert_file("domainmix", tmp_path / "model_best.pth.tar", target, {"name": "a"})
    assert target.read_bytes() == first


def test_an_error_names_the_file_and_nothing_is_written(state, tmp_path):
    del state["base.0.weight"]
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match=r"bad\.pth: this does not fit domainmix"):
        convert_file("domainmix", tmp_path / "bad.pth", tmp_path / "bad.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth"]


@pytest.mark.slow
def test_weights_that_are_not_finite_are_not_converted(state, tmp_path):
    state["base.4.0.conv1.weight"][0] = float("nan")
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match=r"bad\.pth is damaged.* NaN or infinity: backbone.layer1.0.conv1.weight"):
        convert_file("domainmix", tmp_path / "bad.pth", tmp_path / "bad.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth"]


def test_everything_that_does_not_fit_is_in_one_error(state):
    bent = dict(state)
    bent["base.1.weight"] = torch.zeros(3)
    bent["base.9.weight"] = bent["optimizer"] = torch.zeros(2)
    for name in [name for name in state if name.startswith("base.7.1.")]:
        del bent[name]
    bent["base.7.1.bn1.weight"] = torch.zeros(512)
    with pytest.raises(WeightsError) as caught:
        convert_state(FAMILIES["domainmix"], bent, {})
    text = str(caught.value)
    assert "2 in the file that this family does not have: base.9.weight, optimizer" in text
    assert "base.1.weight is [3], backbone.bn1.weight is [64]" in text
    # conv1, bn1's other three, conv2, bn2's four; the counters may be missing
    assert "9 missing in the file: base.7.1.conv1.weight (backbone.layer4.1.conv1.weight)" in text


def test_at_most_ten_of_each_are_listed(state):
    strange = {f"strange{n}.weight": torch.zeros(1) for n in range(14)}
    with pytest.raises(WeightsError, match=r"14 in the file .* not have: strange0.*strange9\.weight, and 4 more"):
        convert_state(FAMILIES["domainmix"], {**state, **strange}, {})


def test_two_names_for_one_tensor(state):
    fast = {f"backbone.{name}": value for name, value in _plain(state).items()}
    neck = {name.removeprefix("feat_bn."): value for name, value in state.items() if name.startswith("feat_bn.")}
    for place in ("heads.bnneck.", "heads.bottleneck.0."):
        fast.update({place + name: value for name, value in neck.items()})
    with pytest.raises(WeightsError, match=r"5 for one and the same tensor: heads\.bottleneck\.0\.\w+ and heads\.bnn"):
        convert_state(FAMILIES["fastreid"], fast, {"size": "256x128", "pool": "avg"})


def _plain(state):
    """Return the ResNet of a state under torchvision's names."""
    places = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
    parts = [(name.split(".", 2), value) for name, value in state.items() if name.startswith("base.")]
    return {f"{places[place]}.{rest}": value for (_, place, rest), value in parts}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_says_what_it_is(family):
    family = FAMILIES[family]
    assert family.title and family.repository.startswith("https://github.com/") and family.licence
    assert (family.size is None) == bool(family.sizes)
    for values in family.options.values():
        assert len(values) > 1
