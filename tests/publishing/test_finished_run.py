from __future__ import annotations

import json

import pytest

from reidzoo.config import load_config
from reidzoo.publishing.finished_run import FinishedRun
from reidzoo.runs.pipeline import Pipeline

STAGES = {
    "one": {"DATASETS": {"TRAIN": {"train": "RandPerson"}}},
    "two": {"WEIGHTS": {"model": "stage:one"}, "WEIGHTS_IGNORE": ["head.classifier.*"]},
}


@pytest.fixture
def folder(write_config, tmp_path):
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1}
    Pipeline(load_config(write_config(STAGES=STAGES, SOLVER=solver))).train()
    return tmp_path / "run"


def test_the_last_stage_and_another_one(folder, tmp_path):
    run = FinishedRun.read(folder, "", tmp_path)
    assert run.stage == "two" and run.weights == folder / "two" / "model_final.pth"
    assert run.metrics == json.loads((folder / "two" / "results.json").read_text())
    assert run.data == "Market1501 twin, after RandPerson twin"
    assert FinishedRun.read(folder, "one", tmp_path).data == "RandPerson twin"


def test_what_was_tested_on_real_images_too_is_no_twins_alone(folder, tmp_path):
    results = folder / "two" / "results.json"
    results.write_text(json.dumps({**json.loads(results.read_text()), "MSMT17": {"mAP": 0.5, "rank-1": 0.5}}))
    assert FinishedRun.read(folder, "", tmp_path).data == "Market1501, after RandPerson"


@pytest.mark.parametrize("known", [True, False])
def test_the_command_names_a_file_of_the_repository_or_none(folder, tmp_path, known):
    config = tmp_path / "projects" / "X" / "mini.yml"
    if known:
        config.parent.mkdir(parents=True)
        config.write_text("")
    file = folder / "environment.json"
    command = f"tools/train_net.py --config-file projects/X/mini.yml --output-dir {tmp_path}/run DEVICE cpu"
    file.write_text(json.dumps({**json.loads(file.read_text()), "command": command}))
    run = FinishedRun.read(folder, "", tmp_path)
    assert run.config_file == ("projects/X/mini.yml" if known else None)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mini.yml").write_text("")
    for other in ("own/mini.yml", "projects"):  # not of a project, no file
        file.write_text(json.dumps({**json.loads(file.read_text()), "command": f"x --config-file {other}"}))
        assert FinishedRun.read(folder, "", tmp_path).config_file is None
    assert run.command == "tools/train_net.py --config-file projects/X/mini.yml --output-dir run DEVICE cpu"


def test_the_checksum_is_of_what_was_configured(folder, tmp_path):
    before = FinishedRun.read(folder, "", tmp_path).config_sha256
    config = folder / "config.yml"
    config.write_text(config.read_text().replace("SEED: 0", "SEED: 1"))
    assert FinishedRun.read(folder, "", tmp_path).config_sha256 != before
