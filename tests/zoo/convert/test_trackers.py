"""boxmot's and Roboflow's OSNets come in, and the folder that is written for Roboflow's package comes in as it went."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from reidzoo.deployment.consumers.roboflow_folder import folder_files
from reidzoo.errors import WeightsError
from reidzoo.inference.load import load
from reidzoo.zoo.convert import convert_file

from .test_torchreid import OSNet


@pytest.fixture
def original(originals):
    return originals.make(OSNet, "bn", 0.25)


@pytest.fixture
def folder(original, tmp_path):
    """A folder as ``ReIDModel.save_pretrained`` of reid 0.1.0rc1 writes it."""
    path = tmp_path / "saved"
    path.mkdir()
    state = {k: v.contiguous() for k, v in original.state_dict().items() if not k.startswith("classifier.")}
    save_file(state, path / "weights.safetensors")
    preprocessing = {
        "input_size": [64, 32], "mean": [0.4, 0.5, 0.3], "std": [0.2, 0.3, 0.25], "interpolation": "bicubic",
        "to_rgb": True, "resize_mode": "stretch", "pad_value": 114,
    }  # fmt: skip
    (path / "reid_config.json").write_text(json.dumps({"architecture": "osnet_x0_25", "preprocessing": preprocessing}))
    return path


@torch.no_grad()
def embeds_as(original, file, images):
    expected = torch.nn.functional.normalize(original(images))
    torch.testing.assert_close(load(file).module.embed(images), expected, rtol=1e-3, atol=2e-5)


@pytest.mark.slow
def test_boxmots_file(original, images, tmp_path):
    torch.save({"state_dict": original.state_dict(), "model_name": "osnet_x0_25"}, tmp_path / "osnet_x0_25.pt")
    file = convert_file("boxmot", tmp_path / "osnet_x0_25.pt", tmp_path / "out.safetensors")
    assert file.info["converted_from"] == "boxmot" and file.config["INPUT"]["SIZE"] == [256, 128]
    embeds_as(original, tmp_path / "out.safetensors", images)


@pytest.mark.slow
def test_roboflows_folder(original, folder, images, tmp_path):
    file = convert_file("reid", folder, tmp_path / "out.safetensors")
    inputs = file.config["INPUT"]
    assert (inputs["SIZE"], inputs["INTERPOLATION"], inputs["MEAN"]) == ([64, 32], "bicubic", [0.4, 0.5, 0.3])
    embeds_as(original, tmp_path / "out.safetensors", images)


@pytest.mark.slow
def test_an_option_wins_over_the_folder(folder, tmp_path):
    file = convert_file("reid size=128x64", folder, tmp_path / "out.safetensors")
    assert file.config["INPUT"]["SIZE"] == [128, 64]


@pytest.mark.slow
def test_what_goes_out_comes_in(original, folder, tmp_path):
    convert_file("reid", folder, tmp_path / "out.safetensors")
    model = load(tmp_path / "out.safetensors")
    files = folder_files(model)
    assert json.loads(files["reid_config.json"]) == json.loads((folder / "reid_config.json").read_text())
    (tmp_path / "again").mkdir()
    for name, content in files.items():
        (tmp_path / "again" / name).write_bytes(content)
    convert_file("reid", tmp_path / "again", tmp_path / "again.safetensors")
    images = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    torch.testing.assert_close(load(tmp_path / "again.safetensors").embed(images), model.embed(images))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"architecture": "timm:resnet50"}, "OSNets"),
        ({"architecture": None}, "names no architecture"),
        ({"preprocessing": {"resize_mode": "letterbox"}}, "letterbox, with bars"),
        ({"preprocessing": {"to_rgb": False}}, "BGR"),
        ({"preprocessing": {"interpolation": "area"}}, "no interpolation 'area'"),
        ({"preprocessing": {"input_size": 256}}, "input_size"),
        ({"preprocessing": {"mean": [0.5]}}, "mean is three numbers"),
    ],
)
def test_folders_that_no_model_here_is(folder, tmp_path, change, message):
    config = {**json.loads((folder / "reid_config.json").read_text()), **change}
    (folder / "reid_config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=message):
        convert_file("reid", folder, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
