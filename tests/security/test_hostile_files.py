"""Files from a stranger: each carries a payload that would leave a mark, and none of them does."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys

import pytest
import torch
from safetensors.torch import load_file

import reidzoo
from reidzoo.commands import call
from reidzoo.config import load_config
from reidzoo.engine.run_folder import RunFolder
from reidzoo.errors import ConfigError, UserError, WeightsError
from reidzoo.models import Embedder
from reidzoo.registry import DATASET
from reidzoo.runs.find_model import find_model
from reidzoo.weights.loading import local_file, safe_read
from reidzoo.yaml_marks import dump_yaml

pytestmark = [pytest.mark.usefixtures("no_indexes", "payload")]

HEADERS = {
    "dotted dataset to train on": {"DATASETS": {"TRAIN": {"train": "payload_call.fire"}}},
    "dotted dataset in a list": {"DATASETS": {"TRAIN": {"train": ["Market1501", "payload_call.fire"]}}},
    "dotted dataset by its type": {"DATASETS": {"TRAIN": {"train": {"type": "payload_call.fire"}}}},
    "dotted test set": {"DATASETS": {"TESTS": ["payload_call.fire"]}},
    "dotted test set by its type": {"DATASETS": {"TESTS": [{"type": "payload_call.fire"}]}},
    "a wrapper's dataset": {"DATASETS": {"TESTS": [{"type": "HoldOut", "dataset": "payload_call.fire"}]}},
    "a wrapper's wrapper": {
        "DATASETS": {"TESTS": [{"type": "HoldOut", "dataset": {"type": "HoldOut", "dataset": "payload_call.fire"}}]}
    },
    "a set called type": {"DATASETS": {"TRAIN": {"type": "Market1501", "other": "payload_call.fire"}}},
    "dotted backbone": {"BACKBONE": {"type": "payload_call.Thing"}},
    "dotted head": {"HEAD": {"type": "payload_call.Thing"}},
    "dotted model": {"MODEL": {"type": "payload_call.Thing"}},
    "a part within a part": {"MODEL": {"type": "TwoViewEmbedder", "gallery_backbone": {"type": "payload_call.Thing"}}},
    "dotted transform": {
        "INPUT": {
            "SIZE": [32, 16], "MEAN": [0.5] * 3, "STD": [0.5] * 3, "INTERPOLATION": "bilinear",
            "TRANSFORMS": {"x": {"type": "payload_call.Thing"}},
        }
    },
    "a module's name as a type": {"BACKBONE": {"type": "payload_import"}},
    "a module's name as a head": {"HEAD": {"type": "payload_import"}},
    "a module's name as a dataset": {"DATASETS": {"TESTS": ["payload_import"]}},
    "mmengine's scope": {"BACKBONE": {"type": "payload_import::Thing"}},
    "an installed plug-in": {"PLUGINS": ["payload_import"]},
    "a submodule as a plug-in": {"PLUGINS": ["payload_import.x"]},
    "a plug-in by an absolute path": {"PLUGINS": ["SITE/payload_import"]},
    "a plug-in by a relative path": {"PLUGINS": ["RELATIVE/payload_import.py"]},
    "a plug-in through the projects": {"PLUGINS": ["projects/../RELATIVE/payload_import"]},
    "a pretrained part by a scheme": {
        "MODEL": {"type": "TwoViewEmbedder", "gallery_backbone": {
            "type": "ResNet", "depth": 18, "width": 4, "pretrained": "payload_call.fire://x"}}
    },
    "weights by a scheme": {"MODEL": {"type": "Embedder", "WEIGHTS": "payload_call.fire://x"}},
}  # fmt: skip


def fill(value, site):
    """Return a header with the payload's folder in its plug-ins."""
    if isinstance(value, str):
        return value.replace("SITE", str(site)).replace("RELATIVE", os.path.relpath(site, reidzoo.version.ROOT))
    if isinstance(value, dict):
        return {key: fill(child, site) for key, child in value.items()}
    return [fill(child, site) for child in value] if isinstance(value, list) else value


@pytest.fixture
def run_folder(tmp_path, tiny_config):
    """Return a function that makes what looks like a finished run, with ``changes`` in its config.yml."""

    def make(**changes):
        config = tiny_config()
        folder = tmp_path / "a_run"
        folder.mkdir()
        state = Embedder(config["BACKBONE"], config["HEAD"], num_classes=3).state_dict()
        torch.save({"parts": {"model": state}}, folder / "model_final.pth")
        (folder / "config.yml").write_text(dump_yaml({"_REPLACE_": True, **config, **changes}))
        return folder

    return make


def test_the_payloads_are_live(payload, mark):
    DATASET.get("payload_call.fire")()
    assert mark.exists()
    mark.unlink()
    __import__("payload_import")
    assert mark.exists()


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS.keys())
def test_a_model_file_runs_nothing(write_tiny, tiny_config, payload, mark, tmp_path, changes):
    from reidzoo.weights.model_file import write_model_file

    path, _ = write_tiny()
    write_model_file(path, load_file(path), tiny_config(**fill(changes, payload)), {})
    out = tmp_path / "out"
    attempts = [
        lambda: reidzoo.load(path),
        lambda: find_model(weights=path),
        lambda: load_config(path),
        lambda: call("test", "--weights", path, "--output-dir", out, "--data-root", tmp_path),
        lambda: call("test", "--config-file", path, "--weights", path, "--output-dir", out, "--data-root", tmp_path),
        lambda: call("extract", "--weights", path, tmp_path, "--output-dir", out),
        lambda: call("train", "--eval-only", "--config-file", path, "--weights", path),
    ]
    for attempt in attempts:
        with contextlib.suppress(UserError):
            attempt()
        assert not mark.exists()


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("place", ["top", "stage", "listed stage", "base"])
def test_a_run_of_a_stranger_runs_nothing(run_folder, payload, mark, tmp_path, changes, place):
    changes = fill(changes, payload)
    if place == "top":
        folder = run_folder(**changes)
    elif place == "stage":
        folder = run_folder(STAGES={"train": changes})
    elif place == "listed stage":
        folder = run_folder(STAGES=[{"NAME": "train", **changes}])
    else:
        folder = run_folder(_BASE_="other.yml")
        (folder / "other.yml").write_text(dump_yaml(changes))
    if "stage" in place:
        (folder / "train").mkdir()
        (folder / "model_final.pth").rename(folder / "train/model_final.pth")
    (file,) = folder.rglob("model_final.pth")
    attempts = [
        lambda: reidzoo.load(folder),
        lambda: reidzoo.load(file),
        lambda: local_file(folder),
        lambda: RunFolder(folder).read_config(),
        lambda: RunFolder(folder).stages,
        lambda: call("test", "--weights", folder, "--output-dir", tmp_path / "out", "--data-root", tmp_path),
        lambda: call("export", folder, "--name", "x", "--output-dir", tmp_path / "out"),
    ]
    for attempt in attempts:
        with contextlib.suppress(UserError):
            attempt()
        assert not mark.exists()


def test_a_plug_in_next_to_a_checkpoint(run_folder, mark, caplog):
    """A downloaded archive of a checkpoint, config.yml and a module; the error says what to call for one's own."""
    folder = run_folder(PLUGINS=["payload_beside"])
    (folder / "payload_beside.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    for what in (folder, folder / "model_final.pth"):
        with pytest.raises(ConfigError, match=r"PLUGINS: payload_beside: .*reidzoo\.load\('.*a_run', trust=True\)"):
            reidzoo.load(what)
    assert not mark.exists() and not caplog.records
    reidzoo.load(folder, trust=True)
    assert mark.exists()
    assert "PLUGINS: payload_beside is trusted, and will be imported" in caplog.text
    sys.modules.pop("payload_beside")


def test_an_archive_that_has_projects_of_its_own(run_folder, mark, monkeypatch):
    folder = run_folder(PLUGINS=["projects/Evil/payload_project"])
    package = folder / "projects/Evil"
    package.mkdir(parents=True)
    (package / "payload_project.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    monkeypatch.chdir(folder)
    for what in (".", folder, "./model_final.pth"):
        with pytest.raises(ConfigError, match="trust=True"):
            reidzoo.load(what)
    assert not mark.exists()


def test_this_packages_own_projects_need_no_trust(run_folder):
    folder = run_folder(PLUGINS=[str(reidzoo.version.ROOT / "projects/ECN/ecn")])
    assert reidzoo.load(folder).embedding_dim
    assert [str(reidzoo.version.ROOT / "projects/ECN/ecn")] == RunFolder(folder).read_config().PLUGINS


@pytest.mark.parametrize("zoo", [{"INDEXES": ["http://127.0.0.1:9/x.yml"]}, {"INDEXES": "x"}, ["x"]])
def test_no_file_names_an_index(write_tiny, tiny_config, run_folder, zoo, monkeypatch):
    from reidzoo.weights.model_file import write_model_file
    from reidzoo.zoo import index

    monkeypatch.setattr(index, "from_http", lambda *_, **__: pytest.fail("an address of the file's choice was asked"))
    path, _ = write_tiny()
    write_model_file(path, load_file(path), tiny_config(ZOO=zoo), {})
    with pytest.raises(ConfigError, match="ZOO: a model file may not name indexes"):
        reidzoo.load(path)
    folder = run_folder(ZOO=zoo)
    reidzoo.load(folder)
    find_model(weights=folder)


def test_a_word_for_weights_is_no_call(mark):
    for word in ("payload_call.fire://x", "payload_import://x"):
        with pytest.raises(WeightsError):
            local_file(word)
    assert not mark.exists()


class _Reduce:
    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return eval, (self.code,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_runs_nothing(tmp_path, mark, run_folder, legacy):
    folder = run_folder()
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    torch.save({"x": _Reduce(code)}, folder / "model_final.pth", _use_new_zipfile_serialization=not legacy)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(_Reduce(code)))
    for attempt in (
        lambda: reidzoo.load(folder),
        lambda: safe_read(folder / "model_final.pth"),
        lambda: safe_read(tmp_path / "plain.pkl"),
    ):
        with pytest.raises(WeightsError):
            attempt()
    assert not mark.exists()
