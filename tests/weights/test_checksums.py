"""A flipped byte in a weight file is told by the tensor's name."""

from __future__ import annotations

import re
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from reidzoo.errors import WeightsError
from reidzoo.weights.loading import safe_read
from reidzoo.weights.model_file import read_header, read_model_file, write_model_file

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b.bias": torch.full((5,), 7.0), "n": torch.tensor(3)}


def flip(path, tensor, index=0):
    """Flip a bit of one of the bytes with which a tensor lies in a file."""
    content, mark = bytearray(path.read_bytes()), tensor.contiguous().numpy().tobytes()
    assert content.count(mark) == 1
    content[content.index(mark) + index] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("index", [0, 11, 19])
def test_a_flipped_byte_of_a_checkpoint_is_named(tmp_path, index):
    path = tmp_path / "last.pth"
    moments = [{"exp_avg": STATE["b.bias"]}, {"exp_avg": STATE["b.bias"]}]  # one memory, and two names of it
    torch.save({"parts": {"model": {"a": STATE["a.weight"]}}, "optims": moments, "epoch": 3}, path)
    assert safe_read(path)["epoch"] == 3
    flip(path, STATE["b.bias"], index)
    with pytest.raises(WeightsError, match=rf"{path} is damaged: .*: optims\.0\.exp_avg, optims\.1\.exp_avg\. Take"):
        safe_read(path)


def test_a_view_is_read_with_all_of_its_memory(tmp_path):
    path, whole = tmp_path / "view.pth", torch.arange(100.0)
    torch.save({"view": whole[10:20], "none": torch.empty(0), "sparse": torch.eye(3).to_sparse()}, path)
    assert torch.equal(safe_read(path)["view"], whole[10:20])
    flip(path, whole, 399)
    with pytest.raises(WeightsError, match=r"saved: view\."):
        safe_read(path)


def test_a_flipped_number_beside_the_tensors_is_found(tmp_path):
    path = tmp_path / "last.pth"
    torch.save({"a": STATE["a.weight"], "name": "abcdefgh"}, path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"abcdefgh", b"abcdefgi"))
    with pytest.raises(WeightsError, match="the list of its tensors"):
        safe_read(path)


@pytest.mark.parametrize("options", [{"_use_new_zipfile_serialization": False}, {}])
def test_files_without_checksums_are_read(tmp_path, options):
    path = tmp_path / "old.pth"
    before = torch.serialization.get_crc32_options()
    try:
        torch.serialization.set_crc32_options(False)
        torch.save(STATE, path, **options)
    finally:
        torch.serialization.set_crc32_options(before)
    assert torch.equal(safe_read(path)["b.bias"], STATE["b.bias"])
    save_file(STATE, tmp_path / "old.safetensors")
    assert torch.equal(safe_read(tmp_path / "old.safetensors")["b.bias"], STATE["b.bias"])


@pytest.mark.parametrize("read", [safe_read, read_model_file])
def test_a_flipped_byte_of_a_model_file_is_named(tmp_path, tiny_config, read):
    path = tmp_path / "a.safetensors"
    state = {**STATE, "half": torch.ones(7).half(), "bf16": torch.ones(3).bfloat16(), "flag": torch.tensor(True)}
    write_model_file(path, {**state, "scalar": torch.tensor(0.25), "none": torch.empty(0)}, tiny_config(), {})
    read(path)
    flip(path, STATE["b.bias"], 3)
    with pytest.raises(WeightsError, match=rf"{path} is damaged: .*: b\.bias\. Take"):
        read(path)
    assert read_header(path).info == {}


def test_a_flipped_number_of_a_model_files_configuration_is_found(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(path, STATE, tiny_config(), {"seed": 11, "ä": [0.1, None, {"b": "ü"}]})
    assert read_header(path).info["seed"] == 11
    path.write_bytes(re.sub(rb'seed\\": 11', rb'seed\\": 12', path.read_bytes()))
    with pytest.raises(WeightsError, match="is damaged: its configuration is not what was written"):
        read_header(path)


def test_what_unpacks_to_far_more_than_it_has_is_refused(tmp_path):
    path, bomb = tmp_path / "plain.pth", tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(1_000_000)}, path)
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(WeightsError, match=r"has [\d,]+ bytes and unpacks to 4,0[\d,]+; torch\.save does not compress"):
        safe_read(bomb)
