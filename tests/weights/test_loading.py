"""Safe reading, strict loading, atomic saving."""

from __future__ import annotations

import argparse
import builtins
import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reidzoo.errors import UnknownModelError, WeightsError
from reidzoo.files import atomic_save
from reidzoo.models.embedder import Embedder
from reidzoo.registry import SCHEME
from reidzoo.weights.loading import is_safetensors, load_weights, local_file, map_torchvision, safe_read, unwrap_state


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


class Evil:
    """Pickles to a call that leaves a trace if anybody unpickles it."""

    def __reduce__(self):
        return os.mkdir, ("evil-was-here",)


class Eval:
    """Pickles to a builtin."""

    def __reduce__(self):
        return builtins.eval, ("1",)


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "content, name", [(Evil(), "mkdir"), (Eval(), "eval"), (argparse.Namespace(lr=1), "argparse.Namespace")]
)
def test_objects_are_refused_and_not_run(tmp_path, monkeypatch, content, name, legacy):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.pth"
    torch.save({"state_dict": net().state_dict(), "extra": content}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=rf"contains Python objects besides tensors \(.*{name}\); refused"):
        safe_read(file)
    assert not (tmp_path / "evil-was-here").exists()


def test_a_function_is_refused(tmp_path):
    torch.save({"state_dict": {}, "hook": torch.nn.functional.relu}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"torch\.nn\.functional\.relu\); refused"):
        safe_read(tmp_path / "weights.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_numpy_numbers_are_read(tmp_path, legacy):
    """Published checkpoints of SpCL and DomainMix keep their best mAP as one."""
    content = {"state_dict": {"a": torch.ones(2)}, "best_mAP": np.float64(0.5), "epoch": np.int64(3)}
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=not legacy)
    assert safe_read(tmp_path / "weights.pth")["best_mAP"] == 0.5
    name = (tmp_path / "weights.pth").read_bytes()
    other = b"numpy._core.multiarray" if b"numpy._core.multiarray" in name else b"numpy.core.multiarray"
    swapped = b"numpy.core.multiarray" if other == b"numpy._core.multiarray" else b"numpy._core.multiarray"
    if legacy:  # the zip format has checksums, a plain pickle can be edited
        (tmp_path / "weights.pth").write_bytes(name.replace(other, swapped))
        assert safe_read(tmp_path / "weights.pth")["epoch"] == 3


def test_numpy_objects_are_refused(tmp_path):
    torch.save({"a": np.array([{}], dtype=object)}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="Python objects besides tensors"):
        safe_read(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello world", "it is not a file that torch.save wrote"),
        (bytes(range(256)), "it is not a file that torch.save wrote"),
        (b"PK\x03\x04 not a zip", "not a ZIP archive"),
    ],
)
def test_damaged_files(tmp_path, content, reason):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=f"not a readable weight file .*{reason}") as caught:
        safe_read(tmp_path / "weights.pth")
    assert "weights_only" not in str(caught.value)


def test_a_truncated_file(tmp_path):
    torch.save(net().state_dict(), tmp_path / "weights.pth")
    whole = (tmp_path / "weights.pth").read_bytes()
    (tmp_path / "weights.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="not a readable weight file"):
        safe_read(tmp_path / "weights.pth")


def test_missing_files(tmp_path):
    with pytest.raises(WeightsError, match="no such weight file"):
        load_weights(net(), tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="is not the folder of a run"):
        safe_read(tmp_path)


def test_safetensors(tmp_path):
    source, target = net(), net()
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    load_weights(target, tmp_path / "weights.safetensors")
    assert torch.equal(source[0].weight, target[0].weight)
    (tmp_path / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="not a readable safetensors"):
        safe_read(tmp_path / "weights.safetensors")


def test_safetensors_by_its_content(tmp_path):
    save_file(net().state_dict(), tmp_path / "weights.bin")
    assert set(safe_read(tmp_path / "weights.bin")) == set(net().state_dict())
    torch.save(net().state_dict(), tmp_path / "weights.pth")
    assert is_safetensors(tmp_path / "weights.bin") and not is_safetensors(tmp_path / "weights.pth")


def test_a_model_of_the_zoo_is_read_by_its_name(tmp_path, monkeypatch):
    torch.save(net().state_dict(), tmp_path / "weights.pth")
    SCHEME.get("zoo")  # registered before it is replaced
    monkeypatch.setitem(SCHEME.module_dict, "zoo", lambda name: {"a_net": tmp_path / "weights.pth"}[name])
    load_weights(net(), "zoo://a_net")
    with pytest.raises(WeightsError, match=r"zo://a_net: SCHEME: nothing is registered as 'zo'. Did you mean zoo"):
        load_weights(net(), "zo://a_net")


def test_what_lies_here_may_be_named_like_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(net().state_dict(), "weights")
    load_weights(net(), "weights")
    (tmp_path / "run").mkdir()
    with pytest.raises(WeightsError, match="run is not the folder of a run"):
        local_file("run")
    with pytest.raises(UnknownModelError, match="nowhere"):
        local_file("nowhere")


# --- strict loading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"student": {}, "teacher": state},
        lambda state: {"parts": {"model": state, "disc": {}}, "phase": "model"},
        lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}},
    ],
)
def test_wrapped_states_round_trip(tmp_path, wrap):
    source, target = net(), net()
    source(torch.randn(4, 2))
    torch.save(wrap(source.state_dict()), tmp_path / "weights.pth")
    load_weights(target, tmp_path / "weights.pth")
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value), name


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], {"state_dict": {"a": 1}}, 3])
def test_not_a_state(content):
    with pytest.raises(WeightsError, match="holds no state dict"):
        unwrap_state(content)


def test_a_model_named_module_keeps_its_name():
    state = {"module.weight": torch.ones(1), "head": torch.ones(1)}
    assert set(unwrap_state(state)) == set(state)


def test_the_prefix_of_data_parallel_is_taken_off_the_beginning_alone():
    state = {"module.a.module.weight": torch.ones(1), "module.module.b": torch.ones(1)}
    assert list(unwrap_state(state)) == ["a.module.weight", "module.b"]


def test_as_many_numbers_in_another_shape_do_not_fit():
    with pytest.raises(WeightsError, match=r"1 of another shape: weight \[2, 3\] in the file, \[3, 2\] in the model"):
        load_weights(nn.Linear(2, 3, bias=False), {"weight": torch.ones(2, 3)})


def test_everything_that_does_not_fit_is_listed_and_nothing_loaded():
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = net().state_dict()
    del state["0.bias"]
    state["1.weight"] = torch.zeros(4)
    state.update({f"extra{number}": torch.zeros(1) for number in range(12)})
    with pytest.raises(WeightsError) as caught:
        load_weights(model, state)
    text = str(caught.value)
    assert "nothing was loaded" in text
    assert "1 missing: 0.bias" in text
    assert "12 unexpected: extra0" in text and "and 2 more" in text and "extra10" not in text
    assert "1 of another shape: 1.weight [4] in the file, [3] in the model" in text
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)


def embedder(num_classes):
    return Embedder({"type": "ResNet", "depth": 18, "width": 4}, {"type": "BNNeck"}, num_classes)


def test_another_number_of_classes_has_its_own_sentence():
    with pytest.raises(WeightsError) as caught:
        load_weights(embedder(5), embedder(7).state_dict())
    assert "The file's classifier has 7 classes, the model 5; to drop it, add 'head.classifier.*' to" in str(
        caught.value
    )
    assert " WEIGHTS_IGNORE" in str(caught.value)


def test_a_file_without_classifier_says_how_to_start_with_a_new_one():
    with pytest.raises(WeightsError, match=r"has no classifier; .* add 'head\.classifier\.\*' to WEIGHTS_IGNORE"):
        load_weights(embedder(5), embedder(0).state_dict())
    state = embedder(0).state_dict()
    del state["backbone.conv1.weight"]
    with pytest.raises(WeightsError) as caught:
        load_weights(embedder(5), state)
    assert "WEIGHTS_IGNORE" not in str(caught.value)


@pytest.mark.parametrize("ours, theirs", [(5, 7), (0, 7), (5, 0)])
def test_ignored_names_may_be_missing_or_unexpected(ours, theirs):
    model, source = embedder(ours), embedder(theirs)
    kept = model.head.classifier.weight.clone() if ours else None
    load_weights(model, source.state_dict(), ignore=["head.classifier.*"])
    assert torch.equal(model.backbone.conv1.weight, source.backbone.conv1.weight)
    if ours:
        assert torch.equal(model.head.classifier.weight, kept)
    if ours != theirs:
        with pytest.raises(WeightsError, match=r"head\.classifier"):
            load_weights(model, source.state_dict())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_that_are_not_finite_are_named_and_nothing_is_loaded(tmp_path, value, suffix):
    module, other, path = net(), net(), tmp_path / f"bad.{suffix}"
    state = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    state["0.weight"][1, 1] = value
    state["1.running_var"][2] = value
    (torch.save if suffix == "pth" else save_file)(state, path)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(WeightsError, match=rf"bad\.{suffix} is damaged.* 2 of 7 tensors .*: 0.weight, 1.running_var$"):
        load_weights(module, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    load_weights(module, path, ignore=["0.weight", "1.running_var"])


def test_a_mask_of_infinity_that_the_module_has_too():
    module = net()
    module.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    load_weights(module, state)
    state["mask"][0] = -torch.inf
    with pytest.raises(WeightsError, match=r"1 of 8 tensors hold NaN or infinity: mask$"):
        load_weights(module, state)


def test_prefix_takes_a_part():
    source = embedder(5)
    target = embedder(3)
    load_weights(target.backbone, source.state_dict(), prefix="backbone.")
    assert torch.equal(target.backbone.conv1.weight, source.backbone.conv1.weight)
    with pytest.raises(WeightsError, match=r"no name begins with 'base\.'"):
        load_weights(target.backbone, source.state_dict(), prefix="base.")


def test_key_maps():
    source, target = net(), net()
    theirs = {f"net.{name}": value for name, value in source.state_dict().items()}
    load_weights(target, theirs, key_map=lambda name: name.removeprefix("net."))
    assert torch.equal(source[0].weight, target[0].weight)
    state = {**source.state_dict(), "0.w": source[0].weight * 2, "fc": torch.ones(1)}
    del state["0.weight"]
    load_weights(target, state, key_map={"0.w": "0.weight", "fc": None})
    assert torch.equal(source[0].weight * 2, target[0].weight)
    with pytest.raises(WeightsError, match=r"brings two names to '0\.bias'"):
        load_weights(target, source.state_dict(), key_map={"0.weight": "0.bias"})


def test_torchvisions_map_drops_the_classifier():
    assert map_torchvision("fc.bias") is None and map_torchvision("layer1.0.bn1.IN.weight") == "layer1.0.bn1.IN.weight"


def test_old_files_lack_the_batch_counter():
    state = net().state_dict()
    del state["1.num_batches_tracked"]
    target = net()
    load_weights(target, state)
    assert torch.equal(target[0].weight, state["0.weight"]) and target[1].num_batches_tracked == 0


def test_dtype_is_the_models():
    target = net()
    load_weights(target, {name: value.double() for name, value in net().state_dict().items()})
    assert target[0].weight.dtype == torch.float32


# --- saving --------------------------------------------------------------------------------------------------------


def test_atomic_save_round_trip(tmp_path):
    path = tmp_path / "new" / "checkpoint.pth"
    atomic_save({"parts": {"model": net().state_dict()}, "epoch": 1}, path)
    atomic_save({"parts": {"model": net().state_dict()}, "epoch": 2}, path)
    assert safe_read(path)["epoch"] == 2
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.pth"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pth"
    atomic_save({"epoch": 1}, path)

    def fail(obj, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        atomic_save({"epoch": 2}, path)
    monkeypatch.undo()
    assert safe_read(path) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pth"]


def test_a_saved_file_has_ordinary_rights(tmp_path):
    atomic_save({}, tmp_path / "saved.pth")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "saved.pth").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(
    "start, message",
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
            "is a pointer of Git LFS, .*'git lfs pull'",
        ),
        ("<!DOCTYPE html><html><title>Sign in</title>", "is a web page, not a weight file"),
    ],
)
def test_what_is_brought_in_the_place_of_weights(tmp_path, suffix, start, message):
    path = tmp_path / f"a.{suffix}"
    path.write_text(start)
    for read in (safe_read, local_file):
        with pytest.raises(WeightsError, match=message):
            read(path)


@pytest.mark.parametrize("value", [torch.tensor([[1.0 + 5.0j]]), torch.tensor([[1e300]], dtype=torch.float64)])
def test_numbers_that_the_models_type_cannot_hold_are_refused_and_nothing_is_loaded(value):
    layer = nn.Linear(1, 1, bias=False)
    before = layer.weight.clone()
    with pytest.raises(WeightsError, match=r"1 of 1 tensors are complex, or hold numbers beyond .*float32: weight"):
        load_weights(layer, {"weight": value})
    assert torch.equal(layer.weight, before)
    load_weights(layer, {"weight": torch.tensor([[2.0]], dtype=torch.float64)})
    assert layer.weight.item() == 2


NOT_PLAIN = {
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(1, 1), 0.1, 0, torch.qint8),
    "sparse": lambda: torch.ones(1, 1).to_sparse(),
    "without values": lambda: torch.ones(1, 1, device="meta"),
}


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_tensors_that_are_no_plain_arrays_are_refused_by_name(kind):
    layer = nn.Linear(1, 1, bias=False)
    with pytest.raises(WeightsError, match=rf"the given state: 1 of 1 tensors are .*{kind}.*: weight\. Save them as"):
        load_weights(layer, {"weight": NOT_PLAIN[kind]()})


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_weights_of_eight_bits_are_loaded_and_checked_as_others_are(kind):
    layer = nn.Linear(2, 1, bias=False)
    load_weights(layer, {"weight": torch.tensor([[0.5, -2.0]]).to(kind)})
    assert layer.weight.tolist() == [[0.5, -2.0]]
    with pytest.raises(WeightsError, match="tensors hold NaN or infinity: weight"):
        load_weights(layer, {"weight": torch.tensor([[0.5, torch.nan]]).to(kind)})
