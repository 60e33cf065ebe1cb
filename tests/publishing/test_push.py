"""A model goes with its card, and to a hub through a stand-in for its client."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import reidzoo
from reidzoo.errors import UserError, WeightsError
from reidzoo.publishing import push
from reidzoo.publishing.push import files_of, open_hub, push_to_folder, push_to_hub
from reidzoo.weights.model_file import ModelFile

ZOO = Path(__file__).parents[2] / "zoo"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "models" / "mine.safetensors"
    path.parent.mkdir()
    shutil.copy(ZOO / "viewadaptation_mini.safetensors", path)
    path.with_suffix(".md").write_text("# mine\n")
    path.with_suffix(".yml").write_text("licence: CC-BY-4.0\n")
    path.with_suffix(".onnx").write_bytes(b"graph")
    (path.parent / "other.yml").write_text("")
    return path


class Hub:
    """Remembers what is asked of it, and keeps the files."""

    def __init__(self, fails=False):
        self.made, self.files, self.fails = [], {}, fails

    def create_repo(self, repo_id, *, repo_type, private, exist_ok):
        if self.fails:
            raise ConnectionError("401: no token")
        self.made.append((repo_id, repo_type, private, exist_ok))

    def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id, repo_type):
        self.files[path_in_repo] = Path(path_or_fileobj).read_bytes()


def test_what_belongs_to_a_model(model):
    assert [path.name for path in files_of(model)] == ["mine.safetensors", "mine.md", "mine.onnx", "mine.yml"]


def test_a_name_with_brackets_is_no_pattern(model):
    for path in files_of(model):
        path.rename(path.with_name(f"[v1] mine{path.suffix}"))
    (model.parent / "[v1] mine2.yml").write_text("")  # of another model
    found = [path.name for path in files_of(model.with_name("[v1] mine.safetensors"))]
    assert found == [f"[v1] mine{end}" for end in (".safetensors", ".md", ".onnx", ".yml")]


def test_the_licence_is_the_files_where_there_is_no_sidecar(model, monkeypatch):
    model.with_suffix(".yml").unlink()
    push_to_hub(files_of(model), "me/mine", Hub())
    monkeypatch.setattr(push, "read_header", lambda _: ModelFile({}, {}, {"licence": "not stated"}))
    with pytest.raises(UserError, match="states no licence"):
        push_to_hub(files_of(model), "me/mine", Hub())
    monkeypatch.setattr(push, "read_header", lambda _: ModelFile({}, {}, {}))
    with pytest.raises(UserError, match="states no licence"):
        push_to_hub(files_of(model), "me/mine", Hub())


def test_a_folder(model, tmp_path):
    push_to_folder(files_of(model), tmp_path / "there")
    names = sorted(path.name for path in (tmp_path / "there").iterdir())
    assert names == ["README.md", "mine.md", "mine.onnx", "mine.safetensors", "mine.yml"]
    assert (tmp_path / "there" / "README.md").read_text() == "# mine\n"
    assert reidzoo.load(tmp_path / "there" / "mine.safetensors").embedding_dim > 0


def test_a_hub(model):
    hub = Hub()
    names = push_to_hub(files_of(model), "me/mine", hub)
    assert hub.made == [("me/mine", "model", False, True)] and names[-1] == "mine.safetensors"
    assert hub.files["README.md"] == b"# mine\n" and hub.files["mine.safetensors"] == model.read_bytes()


def test_what_a_hub_is_not_given(model):
    hub = Hub()
    for name in ("mine", "/mine", "me/", "me/mine/more"):
        with pytest.raises(UserError, match="OWNER/NAME"):
            push_to_hub(files_of(model), name, hub)
    model.with_suffix(".yml").write_text("licence: not stated\n")
    with pytest.raises(UserError, match="states no licence"):
        push_to_hub(files_of(model), "me/mine", hub)
    assert not hub.made
    push_to_hub(files_of(model), "me/mine", hub, private=True)
    assert hub.made[0][2] is True
    with pytest.raises(UserError, match=r"did not take me/mine.*no token"):
        push_to_hub(files_of(model), "me/mine", Hub(fails=True), private=True)


def test_mistakes(model, monkeypatch):
    model.with_suffix(".md").unlink()
    with pytest.raises(UserError, match="has no card"):
        files_of(model)
    with pytest.raises(WeightsError):
        files_of(model.with_suffix(".onnx"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"reidzoo\[hub\]"):
        open_hub()
