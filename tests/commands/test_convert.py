from __future__ import annotations

import pytest
import torch

import reidzoo
from reidzoo.backbones.osnet import OSNet
from reidzoo.commands.convert import OPTIONS
from reidzoo.heads.linear import LinearHead
from reidzoo.weights.model_file import read_model_file
from reidzoo.zoo.convert import FAMILIES


@pytest.fixture
def state():
    """Return an OSNet-AIN x0.25 as torchreid saves it; its names are ours."""
    torch.manual_seed(0)
    backbone = OSNet(0.25, "ain").state_dict()
    head = LinearHead(backbone["conv5.conv.weight"].shape[0], 9, embedding_dim=512).state_dict()
    return {**backbone, **head}


@pytest.fixture
def saved(state, tmp_path):
    path = tmp_path / "osnet.pth.tar"
    torch.save({"state_dict": state, "epoch": 50, "rank1": 0.6}, path)
    return path


def test_it_converts_and_says_what_it_did(run_tool, saved, tmp_path):
    target = tmp_path / "out.safetensors"
    run = run_tool("convert_weights.py", "--from", "torchreid", saved, target, "--size", "192x96", "--name", "mine")
    assert run.returncode == 0, run.stderr
    assert "type OSNet, width 0.25, norm ain" in run.stdout and "550 tensors" in run.stdout
    assert "images: 192x96, bilinear, mean [0.485, 0.456, 0.406]" in run.stdout
    assert (
        "left out on purpose: identity classifier (2 tensors)" in run.stdout and "note: torchreid ranks" in run.stdout
    )
    file = read_model_file(target)
    assert file.info["name"] == "mine" and len(file.info["original_sha256"]) == 64
    assert file.config["INPUT"]["SIZE"] == [192, 96]


def test_what_it_wrote_embeds(run_tool, saved, tmp_path):
    target = tmp_path / "out.safetensors"
    assert run_tool("convert_weights.py", "--from", "torchreid", saved, target).returncode == 0
    model = reidzoo.load(target)
    features = model.embed(torch.randint(0, 256, (3, 3, 80, 40), dtype=torch.uint8))
    assert tuple(model.size) == (256, 128) and features.shape == (3, 512)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))


def test_what_does_not_fit_is_listed_with_exit_code_2(run_tool, state, tmp_path):
    del state["conv3.1.conv1.conv.weight"]
    state |= {"strange.weight": torch.zeros(2), "fc.1.bias": torch.zeros(7)}
    torch.save(state, tmp_path / "bad.pth")
    run = run_tool("convert_weights.py", "--from", "torchreid", tmp_path / "bad.pth", tmp_path / "out.safetensors")
    assert run.returncode == 2 and "Traceback" not in run.stderr and not run.stdout
    for part in (
        "bad.pth", "1 in the file that this family does not have: strange.weight",
        "1 missing in the file: conv3.1.conv1.conv.weight (backbone.conv3.1.conv1.conv.weight)",
        "1 of another shape: fc.1.bias is [7], head.fc.1.bias is [512]",
    ):  # fmt: skip
        assert part in run.stderr
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    "args, message",
    [
        (["--from", "torchried", "IN", "OUT"], "did you mean torchreid"),
        (["--from", "fastreid", "IN", "OUT"], "384x128 for SBS"),
        (["--from", "torchreid", "IN", "OUT", "--bn", "source"], "no option 'bn'"),
        (["--from", "torchreid", "IN", "OUT", "--size", "big"], "height x width"),
        (["--from", "torchreid", "nothing.pth", "OUT"], "there is no file nothing.pth"),
        (["--from", "torchreid", "IN", "IN"], "is the file to convert"),
        (["--from", "torchreid", "IN", "out.pth"], "ends in .safetensors"),
        (["--from", "domainmix", "IN", "OUT"], "--from names"),
    ],
)
def test_mistakes_are_one_message(run_tool, saved, tmp_path, args, message):
    paths = {"IN": saved, "OUT": tmp_path / "out.safetensors", "out.pth": tmp_path / "out.pth"}
    run = run_tool("convert_weights.py", *(paths.get(arg, arg) for arg in args))
    assert run.returncode == 2 and message in run.stderr and "Traceback" not in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == [saved.name]


def test_help_lists_every_family_and_option(run_tool):
    text = run_tool("convert_weights.py", "--help").stdout
    for family in FAMILIES.values():
        assert family.title in text
        for option in family.options:
            assert f"--{option.replace('_', '-')}" in text


def test_what_it_wrote_is_tested_by_one_command(run_tool, saved, tmp_path, tiny_root):
    target = tmp_path / "out.safetensors"
    assert run_tool("convert_weights.py", "--from", "torchreid", saved, target, "--size", "32x16").returncode == 0
    args = ("--targets", "Market1501", "--output-dir", tmp_path / "out", "DATASETS.ROOT", tiny_root)
    run = run_tool("test_net.py", "--weights", target, *args)
    assert run.returncode == 0, run.stderr
    assert "Market1501 twin" in run.stdout and "mAP" in run.stdout


def test_every_option_of_a_family_is_one_of_the_command():
    assert set(OPTIONS) == {name for family in FAMILIES.values() for name in family.options}
