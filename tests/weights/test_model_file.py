"""One file that is a whole model."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from reidzoo.config import get_cfg, load_config, model_file_source, trust
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.weights.model_file import half, header_if_any
from reidzoo.zoo import read_header, read_model_file, write_model_file

STATE = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2).half(), "n": torch.tensor(3)}


def test_round_trip(tmp_path, tiny_config):
    path = tmp_path / "new" / "a.safetensors"
    shared = {**STATE, "tied": STATE["a"], "view": STATE["a"].t()}
    write_model_file(path, shared, tiny_config(), {"name": "ä", "metrics": {"Market1501": {"mAP": 0.5}}})
    file = read_model_file(path)
    assert set(file.state) == set(shared) and file.info["name"] == "ä" and file.config == tiny_config()
    for name, tensor in shared.items():
        assert torch.equal(file.state[name], tensor) and file.state[name].dtype == tensor.dtype
    header = read_header(path)
    assert header.state == {} and (header.config, header.info) == (file.config, file.info)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_equal_models_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_model_file(tmp_path / f"{name}.safetensors", STATE, get_cfg(), {"x": 1})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_writing_is_atomic(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(path, STATE, tiny_config(), {})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_model_file(path, STATE, tiny_config(), {"x": object()})
    with pytest.raises(ValueError):
        write_model_file(path, STATE, tiny_config(), {"x": float("nan")})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("lacking", ["SIZE", "MEAN", "STD", "INTERPOLATION"])
def test_preprocessing_is_never_guessed(tmp_path, lacking, tiny_config):
    config = tiny_config()
    config["INPUT"] = {key: value for key, value in config["INPUT"].items() if key != lacking}
    with pytest.raises(WeightsError, match=rf"lacks INPUT\.{lacking}; .* not guessed"):
        write_model_file(tmp_path / "a.safetensors", STATE, config, {})
    save_file(STATE, tmp_path / "a.safetensors", {"reidzoo": json.dumps({"format": 1, "config": config, "info": {}})})
    with pytest.raises(WeightsError, match=rf"lacks INPUT\.{lacking}"):
        read_model_file(tmp_path / "a.safetensors")


def test_wrong_arguments(tmp_path, tiny_config):
    for name, state, config, message in (
        ("a.pth", STATE, tiny_config(), r"ends in \.safetensors"),
        ("a.safetensors", {}, tiny_config(), "without tensors"),
        ("a.safetensors", STATE, {"INPUT": {}}, "lacks MODEL, BACKBONE, HEAD"),
    ):
        with pytest.raises(WeightsError, match=message):
            write_model_file(tmp_path / name, state, config, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "holds weights only"),
        ("{", "is not JSON"),
        ("[" * 50_000, "is not JSON"),
        ('{"format": ' + "1" * 5000 + "}", "is not JSON"),
        ('{"format": 1, "config": {"x": NaN}, "info": {}}', "is not JSON"),
        ('{"format": 1, "config": {"x": "\\ud800"}, "info": {}}', "is not JSON"),
        ("[]", "has no format number"),
        ('{"format": 2}', "has format 2, this reidzoo reads 1"),
        ('{"format": 1, "info": {}}', "has no mapping 'config'"),
    ],
)
def test_other_files(tmp_path, text, message):
    path = tmp_path / "a.safetensors"
    save_file(STATE, path, {} if text is None else {"reidzoo": text})
    with pytest.raises(WeightsError, match=message):
        read_model_file(path)


def test_damaged_and_missing_files(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    with pytest.raises(WeightsError, match="no such model file"):
        read_model_file(path)
    write_model_file(path, STATE, tiny_config(), {})
    content = path.read_bytes()
    for length in (len(content) - 1, 100):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match="not a readable safetensors file"):
            header_if_any(path)


def test_what_is_a_model_file(tmp_path, tiny_config):
    write_model_file(tmp_path / "a.safetensors", STATE, tiny_config(), {"x": 1})
    save_file(STATE, tmp_path / "b.safetensors")
    torch.save(STATE, tmp_path / "c.pth")
    assert header_if_any(tmp_path / "a.safetensors").info == {"x": 1}
    assert header_if_any(tmp_path / "b.safetensors") is None and header_if_any(tmp_path / "c.pth") is None


def test_halves_are_those_of_what_fits():
    state = {"a": torch.tensor([1.5, -65504.0]), "n": torch.tensor(3), "mask": torch.tensor([0.0, -torch.inf])}
    halved = half(state)
    assert [tensor.dtype for tensor in halved.values()] == [torch.float16, torch.int64, torch.float16]
    assert all(torch.equal(halved[name].to(tensor.dtype), tensor) for name, tensor in state.items())
    with pytest.raises(WeightsError, match=r"^b holds numbers too large for float16"):
        half({**state, "b": torch.tensor([1e6])})


# --- its configuration ----------------------------------------------------------------------------------------------


def test_a_model_file_is_a_configuration(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(path, STATE, tiny_config(), {})
    cfg = load_config(path, ["TEST.FLIP", "true"])
    assert cfg.INPUT.SIZE == [32, 16] and cfg.BACKBONE.width == 4 and cfg.TEST.FLIP
    assert list(cfg.INPUT.TRANSFORMS) == ["normalize"]  # the defaults' are not added


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"BACKBONE": {"type": "os.system", "command": "true"}}, r"BACKBONE: os\.system: a model file may name"),
        ({"MODEL": {"type": "Embedder", "x": [{"type": "a.b"}]}}, r"MODEL\.x\[0\]: a\.b"),
        ({"HEAD": {"type": "mmengine::X"}}, "HEAD: mmengine::X"),
        ({"PLUGINS": ["../evil"]}, r"PLUGINS: \.\./evil: a model file may name .* this package's projects only"),
        ({"PLUGINS": ["/tmp/evil"]}, "PLUGINS: /tmp/evil: a model file may name"),
        ({"PLUGINS": ["reidzoo/losses"]}, "PLUGINS: reidzoo/losses: a model file may name"),
        ({"PLUGINS": ["projects/None/none"]}, "the model needs projects/None/none, and there is no"),
        ({"PLUGINS": "x"}, "expected a list"),
        (
            {"PLUGINS": ["an_installed_package"]},
            r"If you trust who made it, say so: reidzoo\.load\('.*a\.safetensors', trust",
        ),
        ({"BACKBONES": {}}, r"a\.safetensors: unknown key BACKBONES"),
    ],
)
def test_a_model_file_cannot_run_code(tmp_path, changes, message, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(path, STATE, tiny_config(**changes), {})
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_plug_ins_are_those_of_the_projects(tmp_path, monkeypatch, tiny_config):
    for module in (model_file_source, trust):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    package = tmp_path / "projects/X/a_plug_in_of_a_model_file"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    write_model_file(tmp_path / "a.safetensors", STATE, tiny_config(PLUGINS=[f"projects/X/{package.name}"]), {})
    monkeypatch.chdir(package)
    found = load_config(tmp_path / "a.safetensors").PLUGINS
    assert found == [str(package)]


def test_with_trust_a_model_file_may_name_any_plug_in(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(path, STATE, tiny_config(PLUGINS=["no_such_package_anywhere"]), {})
    with pytest.raises(ConfigError, match="not installed"):
        load_config(path, trust=True)
    write_model_file(path, STATE, tiny_config(HEAD={"type": "torch.nn.Identity"}), {})
    assert load_config(path, trust=True).HEAD.type == "torch.nn.Identity"


def test_keys_that_embedding_does_not_need_are_not_read(tmp_path, tiny_config):
    path = tmp_path / "a.safetensors"
    write_model_file(
        path, STATE, tiny_config(OUTPUT_DIR="/somewhere", HOOKS={"x": {"type": "a.b"}}, STAGES={"x": {}}), {}
    )
    cfg = load_config(path)
    assert cfg.OUTPUT_DIR == get_cfg().OUTPUT_DIR and "x" not in cfg.HOOKS and not cfg.STAGES
