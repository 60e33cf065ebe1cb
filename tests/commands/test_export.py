from __future__ import annotations

import json

import pytest
import yaml

from reidzoo.commands import call
from reidzoo.config import load_config
from reidzoo.errors import UserError
from reidzoo.runs.pipeline import Pipeline
from reidzoo.zoo.index import read_index

pytestmark = pytest.mark.slow


@pytest.fixture
def run(write_config, tmp_path):
    Pipeline(load_config(write_config(SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1}))).train()
    file = tmp_path / "run" / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "uncommitted": "reidzoo/x.py"}))
    return tmp_path / "run"


def test_a_run_becomes_a_model_with_a_name(run, run_tool, tmp_path):
    into = tmp_path / "kept"
    arguments = ["export_model.py", run, "--name", "tiny_mini", "--output-dir", into]
    refused = run_tool(*arguments)
    assert refused.returncode == 2 and "--allow-dirty" in refused.stderr and not into.exists()

    done = run_tool(*arguments, "--allow-dirty")
    assert done.returncode == 0, done.stderr
    assert "float16" in done.stdout and "Market1501 twin: mAP" in done.stdout
    said = yaml.safe_load((into / "tiny_mini.yml").read_text())
    assert said["uncommitted"] == "reidzoo/x.py"
    entry = read_index(into / "index.yml")[1]["tiny_mini"]
    assert entry.sha256 == said["sha256"] and entry.metrics == said["kept_metrics"]

    opts = ["ZOO.INDEXES", f"[{into / 'index.yml'}]"]
    tested = run_tool("test_net.py", "--weights", "zoo://tiny_mini", "--output-dir", tmp_path / "tested", *opts)
    assert tested.returncode == 0, tested.stderr
    (row,) = json.loads((tmp_path / "tested" / "transfer.json").read_text())["rows"]
    (found,) = row["results"].values()
    assert found["mAP"] == pytest.approx(said["kept_metrics"]["Market1501 twin"]["mAP"], abs=1e-6)

    done = run_tool(*arguments, "--allow-dirty", "--no-half")
    assert done.returncode == 0 and "float32" in done.stdout


@pytest.mark.usefixtures("export_extra")
def test_a_model_becomes_a_graph(tiny_root, run_tool, tmp_path):
    out = tmp_path / "out"
    arguments = ["export_model.py", "domainmix_mini", "--to", "onnx", "--input", "uint8", "--output-dir", out]
    crops = ["--crops", tiny_root / "crops"]
    done = run_tool(*arguments, *crops)
    assert done.returncode == 0, done.stderr
    assert "nearest crop changed for 0.0 %" in done.stdout and "onnxruntime" in done.stdout
    assert "trtexec --onnx=domainmix_mini.onnx" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "domainmix_mini.onnx",
        "domainmix_mini.report.yml",
    ]
    again = run_tool(*arguments, *crops)
    assert again.returncode == 2 and "--overwrite" in again.stderr


def test_a_graph_is_made_as_was_asked(tiny_root, tmp_path, monkeypatch):
    asked = {}

    def export_graph(plan, crops, into, **how):
        asked.update(plan=plan, into=into, **how)
        raise UserError("asked")

    monkeypatch.setattr("reidzoo.deployment.export_graph", export_graph)
    words = ["export", "domainmix_mini", "--to", "onnx", "--crops", tiny_root / "crops", "--output-dir", tmp_path]
    images = ["--calibration", tiny_root / "crops"]
    with pytest.raises(UserError, match="asked"):
        call(*words, "--precision", "int8", *images, "--tolerance", "2.5", "--force", "--input-size", "64x32")
    assert asked["plan"].precision == "int8" and asked["tolerance"] == 0.025 and asked["into"] == tmp_path
    assert len(asked["calibration"]) > 8 and asked["force"] and not asked["overwrite"]
    with pytest.raises(UserError, match="asked"):
        call(*words, "--overwrite")
    assert asked["plan"].precision == "fp32" and not asked["calibration"] and asked["tolerance"] == 0.001
    assert asked["overwrite"] and not asked["force"]


def test_mistakes_end_with_two_and_a_word(run_tool, tmp_path):
    for words, message in (
        (["domainmix_mini", "--for", "boxmott"], "Did you mean boxmot?"),
        (["domainmix_mini", "--to", "onnx", "--input-size", "256"], "height x width"),
        (["nothing", "--to", "onnx"], "nothing"),
        (["domainmix_mini"], "--name is needed"),
        ([], "name a model"),
    ):
        done = run_tool("export_model.py", *words, "--output-dir", tmp_path)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())
