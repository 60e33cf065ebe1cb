from __future__ import annotations

import hashlib
import json

import pytest
import torch
import yaml

from reidzoo.config import load_config
from reidzoo.errors import UserError, WeightsError
from reidzoo.evaluation import Calibration
from reidzoo.inference.load import load
from reidzoo.publishing import export
from reidzoo.publishing.export import export_model
from reidzoo.runs.pipeline import Pipeline
from reidzoo.weights.cache import sha256_of
from reidzoo.zoo import read_model_file

pytestmark = pytest.mark.slow

SOLVER = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1}


def note(folder, **changes):
    """Change what a run's environment.json says; None removes a key."""
    file = folder / "environment.json"
    said = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))


@pytest.fixture
def run(write_config, tmp_path):
    """The folder of a finished run, of committed code."""
    Pipeline(load_config(write_config(SOLVER=SOLVER))).train()
    note(tmp_path / "run", uncommitted="none", commit="0123456789abcdef", command="tools/train_net.py --seed 0")
    return tmp_path / "run"


@pytest.fixture
def keep(run, tmp_path):
    return lambda **options: export_model(run, "tiny_mini", tmp_path / "zoo", repository=tmp_path, **options)


def test_the_file_and_its_sidecar(run, keep, tmp_path):
    said = keep()
    file = tmp_path / "zoo" / "tiny_mini.safetensors"
    assert {path.name for path in file.parent.iterdir()} == {f"tiny_mini.{end}" for end in ("md", "safetensors", "yml")}
    assert said["licence"] == "Apache-2.0" and "code_version" not in said
    assert yaml.safe_load(file.with_suffix(".yml").read_text()) == said
    assert said["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() and said["size"] == file.stat().st_size
    assert said["metrics"] == json.loads((run / "results.json").read_text())
    assert (said["seed"], said["commit"], said["stage"]) == (0, "0123456789abcdef", "train")
    assert said["dtype"] == "float16" and said["notes"] == ""
    (target,) = said["kept_metrics"]
    assert target == "Market1501 twin"
    # Rounding to half precision may swap two neighbours in the ranking: of one of 24 queries that is at most 0.5 / 24.
    assert said["kept_metrics"][target]["mAP"] == pytest.approx(said["metrics"][target]["mAP"], abs=0.05)

    content = read_model_file(file)
    assert not any("classifier" in name for name in content.state)
    assert {t.dtype for t in content.state.values()} == {torch.float16, torch.int64}
    assert content.config["INPUT"]["SIZE"] == [32, 16] and content.config["DATASETS"]["TRAIN"]["train"] == [
        "Market1501"
    ]
    assert content.info["commit"] == "0123456789abcdef"


def test_it_embeds_as_the_run_does_and_knows_what_similarities_mean(run, keep, tmp_path):
    curve = Calibration(0.5, 0.01, (0.4, 0.6), 0.5, "logistic", 8.0, -4.0, (0.0, 1.0), (0.1, 0.9))
    node = {"sha256": sha256_of(run / "model_final.pth"), "calibration": curve.to_dict()}
    (run / "calibration.json").write_text(json.dumps(node))
    assert "calibration" not in keep(halve=False)  # what the sidecar says
    assert load(tmp_path / "zoo" / "tiny_mini.safetensors").calibration == curve
    images = torch.randint(0, 256, (3, 3, 32, 16), dtype=torch.uint8)
    torch.testing.assert_close(load(tmp_path / "zoo" / "tiny_mini.safetensors").embed(images), load(run).embed(images))
    assert load(tmp_path / "zoo" / "tiny_mini.safetensors").fingerprint == load(run).fingerprint


def test_what_float16_would_change_is_kept_as_float32(keep, monkeypatch):
    def spoil(state):
        return {name: t if "running" in name or not t.is_floating_point() else -t.half() for name, t in state.items()}

    monkeypatch.setattr(export, "half", spoil)
    monkeypatch.setattr(export, "TOLERANCE", 1e-9)
    said = keep()
    assert said["dtype"] == "float32" and "float16 changes the mAP by" in said["notes"]


def test_what_float16_cannot_hold_is_kept_as_float32(keep, monkeypatch):
    def refuse(state):
        raise WeightsError("bn holds numbers too large for float16")

    monkeypatch.setattr(export, "half", refuse)
    said = keep()
    assert said["dtype"] == "float32" and "bn holds numbers too large" in said["notes"]


def test_a_large_model_is_refused_and_leaves_nothing(keep, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "LIMIT", 1000)
    with pytest.raises(UserError, match="at most 1,000"):
        keep()
    assert list((tmp_path / "zoo").iterdir()) == []


def test_a_folder_of_ones_own_takes_any_size_with_a_card(run, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "LIMIT", 1000)
    said = export_model(run, "mine", tmp_path / "own", repository=tmp_path, licence="CC0-1.0", code_version="v7")
    names = ["mine.md", "mine.safetensors", "mine.yml"]
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == names
    assert said["licence"] == "CC0-1.0" and said["code_version"] == "v7"
    assert read_model_file(tmp_path / "own" / "mine.safetensors").info["licence"] == "CC0-1.0"
    (found,) = said["intervals"].values()
    (figures,) = said["kept_metrics"].values()
    assert found["queries"] == 24
    for key in ("mAP", "rank-1"):
        assert found[key][0] - 1e-5 <= figures[key] <= found[key][1] + 1e-5
    card = (tmp_path / "own" / "mine.md").read_text()
    assert "| licence | CC0-1.0 |" in card and f"{100 * figures['mAP']:.1f} (" in card
    plain = export_model(run, "mine", tmp_path / "own", repository=tmp_path)
    assert plain["licence"] == "not stated", "the licence of other people's models is theirs to state"


@pytest.mark.parametrize(
    ("said", "part"), [("reidzoo/x.py", r"uncommitted code \(reidzoo/x.py\)"), (None, "does not say")]
)
def test_a_run_of_uncommitted_code(run, keep, said, part):
    note(run, uncommitted=said)
    with pytest.raises(UserError, match=part):
        keep()
    assert keep(dirty=True)["uncommitted"] == (said or "unknown")


def test_a_run_that_its_weights_do_not_reproduce(run, keep):
    results = json.loads((run / "results.json").read_text())
    results["Market1501 twin"]["mAP"] += 0.002
    (run / "results.json").write_text(json.dumps(results))
    with pytest.raises(UserError, match="own weights give another mAP"):
        keep()


def test_mistakes(run, keep, tmp_path):
    with pytest.raises(UserError, match="letters, digits"):
        export_model(run, "a/b", tmp_path, repository=tmp_path)
    with pytest.raises(UserError, match="there is no stage 'one'"):
        keep(stage="one")
    with pytest.raises(UserError, match="folder of a run"):
        export_model(tmp_path, "x", tmp_path, repository=tmp_path)
    (run / "results.json").write_text('{"probe": {"camid_accuracy": 0.3}}')
    with pytest.raises(UserError, match="no figures"):
        keep()
    (run / "model_final.pth").unlink()
    with pytest.raises(UserError, match="no checkpoint"):
        keep()
