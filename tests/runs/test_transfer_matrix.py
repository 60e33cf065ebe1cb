from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from reidzoo.config import load_config
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.runs import transfer_matrix
from reidzoo.runs.pipeline import Pipeline
from reidzoo.runs.transfer_matrix import evaluate_model, find_model, matrix, scatter

NAME = "{http://www.w3.org/2000/svg}"


def row(name, source, **figures):
    found = {f"{on} twin": {"own": on == source, "mAP": x / 200, "rank-1": x / 100} for on, x in figures.items()}
    return {"name": name, "sources": [source], "results": found}


ROWS = [row("a", "Market1501", Market1501=80, DukeMTMC=30), row("b", "DukeMTMC", Market1501=40, DukeMTMC=70)]


def test_matrix_marks_what_was_trained_on():
    lines = matrix(ROWS).splitlines()
    assert lines[0].split() == ["model", "trained", "on", "Market1501", "twin", "DukeMTMC", "twin"]
    assert lines[1].split() == ["mAP", "rank-1", "mAP", "rank-1"]
    assert lines[3].split() == ["a", "Market1501", "40.0*", "80.0*", "15.0", "30.0"]
    assert lines[4].split() == ["b", "DukeMTMC", "20.0", "40.0", "35.0*", "70.0*"]
    assert "rendered drawings" in lines[-1]
    markdown = matrix(ROWS, "pipe").splitlines()
    assert markdown[0].startswith("| model") and "DukeMTMC twin rank-1" in markdown[0]


def test_scatter_has_a_dot_for_each_transfer():
    tree = ET.fromstring(scatter(ROWS))
    tips = [node.text for node in tree.iter(f"{NAME}title")]
    assert tips == [
        "a: 80.0 % on its own dataset, 30.0 % on DukeMTMC twin",
        "b: 70.0 % on its own dataset, 40.0 % on Market1501 twin",
    ]
    assert scatter([row("a", "Market1501", Market1501=80)]) == "" == scatter([row("a", "MSMT17", Market1501=80)])


def test_a_model_is_found_and_gives_what_its_run_gave(write_config, tmp_path, tiny_root):
    node = {"type": "HoldOut", "dataset": "Market1501", "part": "train"}
    path = write_config(DATASETS={"TRAIN": {"train": [node, "RandPerson"]}, "TESTS": ["Market1501", "DukeMTMC"]})
    wanted = Pipeline(load_config(path, ["SOLVER.MAX_EPOCHS", "1"])).train()["train"]
    for model in (find_model(str(path)), find_model("", str(tmp_path / "run"))):
        assert model.sources == ("Market1501", "RandPerson") and model.weights == tmp_path / "run/model_final.pth"
        found = evaluate_model(model, ["DukeMTMC", "Market1501"])
        assert found["sources"] == ["Market1501", "RandPerson"] and found["name"] in ("tiny", "run")
        assert [figures.pop("own") for figures in found["results"].values()] == [False, True]
        assert list(found["results"]) == list(reversed(wanted)) and all(
            figures == wanted[title] for title, figures in found["results"].items()
        )


@pytest.mark.parametrize(
    ("target", "source", "own"),
    [
        ("Market1501", "Market1501", True),
        ({"type": "Market1501"}, "Market1501", True),
        ({"type": "VehicleID", "test_size": 1600}, "VehicleID", True),
        ({"type": "VIPeR", "split": 0}, {"type": "VIPeR", "split": 3}, True),
        ({"type": "HoldOut", "dataset": "Market1501", "part": "validation"}, "Market1501", True),
        ({"type": "CSVDataset", "file": "a.csv"}, {"type": "CSVDataset", "file": "a.csv"}, True),
        ({"type": "CSVDataset", "file": "a.csv"}, {"type": "CSVDataset", "file": "b.csv"}, False),
        ("Market1501", "DukeMTMC", False),
    ],
)
def test_which_targets_are_the_models_own(monkeypatch, write_config, target, source, own):
    path = write_config(DATASETS={"TRAIN": {"train": source}})
    monkeypatch.setattr(
        transfer_matrix.Pipeline, "evaluate", lambda *_: {"model": {"title": {"mAP": 0.5, "rank-1": 0.5}}}
    )
    monkeypatch.setattr(transfer_matrix, "sha256_of", lambda _: "")
    model = transfer_matrix.TrainedModel("a", path, "train", path, (source,))
    assert evaluate_model(model, [target])["results"]["title"]["own"] is own


def test_the_split_that_a_model_was_trained_on_is_its_source(write_config, tmp_path):
    path = write_config(SEED=3, DATASETS={"TRAIN": {"train": {"type": "VIPeR", "split": "run:seed"}}})
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model_final.pth").write_bytes(b"")
    assert find_model(str(path)).sources == ({"type": "VIPeR", "split": 3},)


def test_two_targets_of_one_name_are_refused(write_config, tiny_root):
    tests = ["Market1501", {"type": "Market1501", "root": str(tiny_root)}]
    with pytest.raises(ConfigError, match="two datasets are called Market1501 twin"):
        evaluate_targets(load_config(write_config(DATASETS={"TESTS": tests})), None, None)


def test_mistakes(write_config, tmp_path):
    path = str(write_config())
    with pytest.raises(WeightsError, match=r"no checkpoint .*run; train it first"):
        find_model(path)
    with pytest.raises(ConfigError, match="there is no stage 'label'"):
        find_model(path, stage="label")
    with pytest.raises(ConfigError, match="--config-file"):
        find_model("", str(tmp_path))
    with pytest.raises(ConfigError, match="--config-file"):
        find_model()
