"""``reidzoo calibrate``: a file that knows what its similarities mean, a picture, and mistakes in one line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

import reidzoo
from reidzoo.commands import call
from reidzoo.config import load_config
from reidzoo.errors import UserError
from reidzoo.runs.pipeline import Pipeline

from ..served_models import home, write_tiny  # noqa: F401


@pytest.mark.slow
def test_a_model_file_gets_a_calibrated_copy(write_tiny, tiny_root, tmp_path, capsys):  # noqa: F811
    path, _ = write_tiny()
    before = path.read_bytes()
    words = ["calibrate", path, "--data-root", tiny_root, "--far", "0.05", "--output-dir", tmp_path / "out"]
    call(*words, "--dataset", "Market1501", "--against", "DukeMTMC", "--against", "VehicleID")
    printed = capsys.readouterr().out
    assert "Market1501 twin, identities held out" in printed and "DukeMTMC twin, as calibrated on" in printed
    model = reidzoo.load(tmp_path / "out" / "tiny.safetensors")
    facts = model.calibration.facts
    assert facts["data"] == "Market1501 twin" and set(facts["elsewhere"]) == {"DukeMTMC twin", "VehicleID-800 twin"}
    assert 0 < facts["held_out"]["ece"] < 1 and facts["identities"] == 12
    assert model.calibration.far == 0.05 and f"{model.threshold:.4f}" in printed
    ET.parse(tmp_path / "out" / "reliability.svg")
    assert path.read_bytes() == before and reidzoo.load(path).calibration is None
    with pytest.raises(UserError, match="would be overwritten"):
        call("calibrate", path, "--dataset", "Market1501", "--output-dir", tmp_path)
    for mistake, message in (
        (["--dataset", "RandPerson"], "RandPerson has no query"),
        (["--dataset", "Market1501", "--far", "0.0001"], "ask for that"),
        (["--dataset", "Market1501", "--far", "1"], "between 0 and 1"),
        (["--dataset", "Market1501", "--seed", "-1"], "--seed takes a number from 0 up"),
        ([], "name the dataset"),
    ):
        with pytest.raises(UserError, match=message):
            call("calibrate", path, "--data-root", tiny_root, "--output-dir", tmp_path / "no", *mistake)
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_a_run_keeps_its_own_until_it_is_trained_again(write_config, tmp_path, capsys):
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1}
    Pipeline(load_config(write_config(SOLVER=solver))).train()
    run = tmp_path / "run"
    call("calibrate", run, "--far", "0.1")
    assert "Market1501 twin, identities held out" in capsys.readouterr().out
    model = reidzoo.load(run)
    assert model.calibration.far == 0.1 and (run / "reliability.svg").exists()
    call("calibrate", run, "--far", "0.1", "--method", "logistic")
    assert reidzoo.load(run).calibration.method == "logistic"
    with pytest.raises(UserError, match="in its own folder"):
        call("calibrate", run, "--output-dir", tmp_path / "elsewhere")
    content = json.loads((run / "calibration.json").read_text())
    (run / "calibration.json").write_text(json.dumps({**content, "sha256": "of another checkpoint"}))
    assert reidzoo.load(run).calibration is None
    (run / "calibration.json").write_text("{}")
    with pytest.raises(UserError, match=r"calibration\.json is damaged"):
        reidzoo.load(run)
