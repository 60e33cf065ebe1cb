from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from reidzoo.commands import call
from reidzoo.config import load_config
from reidzoo.runs.pipeline import Pipeline


@pytest.fixture
def models(write_config, tmp_path):
    """Return the configurations of two finished runs."""
    paths = []
    for name in ("Market1501", "DukeMTMC"):
        path = write_config(
            f"{name}.yml", DATASETS={"TRAIN": {"train": name}}, OUTPUT_DIR=str(tmp_path / name),
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 1},
        )  # fmt: skip
        Pipeline(load_config(path)).train()
        paths.append(path)
    return paths


def test_matrix_of_two_models_with_overrides_behind_the_targets(models, run_tool, tmp_path):
    configs = [part for path in models for part in ("--config-file", path)]
    out = tmp_path / "out"
    targets = ["--targets", "Market1501", "DukeMTMC", "MSMT17", "TEST.FLIP", "true"]
    run = run_tool("test_net.py", *configs, "--output-dir", out, *targets)
    assert run.returncode == 0, run.stderr
    assert "MSMT17 twin" in run.stdout and "*" in run.stdout and "transfer.svg" in run.stdout
    results = json.loads((out / "transfer.json").read_text())
    assert results["targets"] == ["Market1501", "DukeMTMC", "MSMT17"]
    assert [row["sources"] for row in results["rows"]] == [["Market1501"], ["DukeMTMC"]]
    assert (out / "transfer.md").read_text().count("MSMT17 twin rank-1") == 1
    ET.parse(out / "transfer.svg")

    runs = [part for path in models for part in ("--weights", tmp_path / path.stem)]
    again = run_tool("test_net.py", *runs, "--output-dir", out, "TEST.FLIP", "true")
    assert again.returncode == 0, again.stderr
    second = json.loads((out / "transfer.json").read_text())
    # those trained on and those of DATASETS.TESTS
    assert second["targets"] == [{"type": "Market1501"}, {"type": "DukeMTMC"}]
    for one, other in zip(results["rows"], second["rows"]):
        assert other["results"] == {title: one["results"][title] for title in ("Market1501 twin", "DukeMTMC twin")}


def test_mistakes_are_one_message(models, run_tool, tmp_path):
    for arguments, message in (
        (["--config-file", models[0], "--config-file", models[1], "--weights", "a.pth"], "2 configurations"),
        (["--config-file", models[0], "MODEL.WEIGHTS", "gone.pth"], "gone.pth"),
        (["--config-file", models[0], "--targets", "{split: 3}"], "--targets takes a dataset's name"),
    ):
        run = run_tool("test_net.py", "--output-dir", tmp_path / "out", *arguments)
        assert run.returncode == 2 and message in run.stderr and "Traceback" not in run.stderr, run.stderr
    assert not (tmp_path / "out").exists()


def test_a_place_that_takes_no_files_is_named_before_the_work(models, tmp_path, monkeypatch):
    monkeypatch.setattr("reidzoo.runs.transfer_matrix.evaluate_model", lambda *words: pytest.fail("evaluated"))
    (tmp_path / "out").touch()
    with pytest.raises(FileExistsError):
        call("test", "--config-file", models[0], "--targets", "Market1501", "--output-dir", tmp_path / "out")
