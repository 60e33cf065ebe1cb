from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reidzoo.config import load_config
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.runs import transfer_matrix
from reidzoo.runs.find_model import find_model
from reidzoo.runs.pipeline import Pipeline
from reidzoo.runs.transfer_matrix import draw_scatter, evaluate_model, matrix, scatter


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


def test_scatter_has_a_mark_for_each_transfer():
    points = [("a", "DukeMTMC twin", 80.0, 30.0), ("b", "Market1501 twin", 70.0, 40.0), ("b", "MSMT17", 70.0, 20.0)]
    figure = Figure()
    draw_scatter(figure, points)
    marks = [line for line in figure.axes[0].lines if len(line.get_xydata())]
    assert [line.get_xydata().tolist() for line in marks] == [[[80, 30]], [[70, 40]], [[70, 20]]]
    shapes = {line.get_label(): line.get_marker() for line in figure.axes[0].lines}
    assert [line.get_marker() for line in marks] == [shapes["model a"], shapes["model b"], shapes["model b"]]
    colours = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert [line.get_color() for line in marks] == [colours[f"tested on {target}"] for _, target, _, _ in points]
    assert len({line.get_color() for line in marks}) == 3 and shapes["model a"] != shapes["model b"]


def test_scatter_is_described(read_svg):
    _, description, words = read_svg(scatter(ROWS))
    assert description.splitlines() == [
        "a: 80.0 % on its own dataset, 30.0 % on DukeMTMC twin",
        "b: 70.0 % on its own dataset, 40.0 % on Market1501 twin",
    ]
    assert {"model a", "model b", "tested on DukeMTMC twin", "tested on Market1501 twin"} <= words
    both = row("c", "Market1501", Market1501=80, DukeMTMC=60, MSMT17=30)
    both["results"]["DukeMTMC twin"]["own"] = True
    assert read_svg(scatter([both]))[1] == "c: 70.0 % on its own dataset, 30.0 % on MSMT17 twin"  # the mean of the two
    assert scatter([row("a", "Market1501", Market1501=80)]) == "" == scatter([row("a", "MSMT17", Market1501=80)])


@pytest.mark.slow
def test_the_recorded_scatter_is_what_its_results_give(read_svg):
    picture = Path(__file__).parents[2] / "projects/ADIN/results/transfer.svg"
    rows = json.loads(picture.with_suffix(".json").read_text())["rows"]
    assert read_svg(picture.read_text()) == read_svg(scatter(rows))


@pytest.mark.slow
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
    model = transfer_matrix.TrainedModel("a", path, "train", path, load_config(path))
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
    with pytest.raises(WeightsError, match=r"is the run finished"):
        find_model(path)
    with pytest.raises(ConfigError, match="there is no stage 'label'"):
        find_model(path, stage="label")
    with pytest.raises(WeightsError, match="is not the folder of a run"):
        find_model("", str(tmp_path))
    with pytest.raises(ConfigError, match="--config-file"):
        find_model()
