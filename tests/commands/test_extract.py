"""The extraction of features, mostly in this process: importing torch takes longer than all of it."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import reidzoo
from reidzoo.commands import call
from reidzoo.config import load_config
from reidzoo.datasets import build_dataset
from reidzoo.engine.build import build_model
from reidzoo.errors import DatasetError, UserError
from reidzoo.publishing.portable_config import portable_config
from reidzoo.zoo import write_model_file


@pytest.fixture
def write_model(write_config, tmp_path):
    """Return a function that writes a random model and returns its file."""

    def write(name="model", **changes):
        torch.manual_seed(0)
        cfg = load_config(write_config(**changes))
        module = build_model(cfg, num_classes=0, initialise=False)
        config = portable_config(cfg, module, tmp_path)
        write_model_file(tmp_path / f"{name}.safetensors", module.state_dict(), config, {})
        return tmp_path / f"{name}.safetensors"

    return write


@pytest.fixture
def two_views(write_model):
    gallery = {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 2, "pretrained": ""}
    return write_model("two", MODEL={"type": "TwoViewEmbedder", "gallery_backbone": gallery})


@pytest.fixture
def extract(tmp_path):
    """``extract(model, source, ...)`` runs the tool and returns the features and the rows of the index."""

    def run(model, source, *options, output="out"):
        call("extract", "--weights", model, source, "--output", tmp_path / output, "--batch-size", 5, *options)
        with open(tmp_path / output / "index.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        features = np.load(tmp_path / output / "features.npy", mmap_mode="r")
        assert [row["row"] for row in rows] == [str(row) for row in range(len(features))]
        return features, rows

    return run


def test_a_dataset(write_model, extract, tiny_root):
    model = write_model()
    features, rows = extract(model, "Market1501", "--data-root", tiny_root, "--split", "query", "gallery")
    data = build_dataset("Market1501", tiny_root)
    records = [*data.query, *data.gallery]
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reidzoo.load(model).embed([r.path for r in records]), atol=1e-6)
    assert [(row["path"], int(row["pid"]), int(row["camid"])) for row in rows] == [r[:3] for r in records]
    assert [row["split"] for row in rows] == ["query"] * len(data.query) + ["gallery"] * len(data.gallery)


@pytest.mark.slow
def test_a_folder_with_folders_in_it(write_model, extract, tiny_root):
    folder = tiny_root / "MSMT17_V1" / "train"
    features, rows = extract(write_model(), folder, "--workers", 1)
    assert [row["path"] for row in rows] == sorted(map(str, folder.rglob("*.jpg"))) and len(features) == len(rows)
    assert {(row["pid"], row["camid"], row["split"]) for row in rows} == {("", "", "")}


def test_a_csv(write_model, extract, tiny_root, tmp_path):
    paths = sorted((tiny_root / "Market-1501-v15.09.15" / "query").iterdir())[:3]
    splits = ("gallery", "train", "query")
    lines = [f"{path},{n},{10 + n},{split}" for n, (path, split) in enumerate(zip(paths, splits))]
    (tmp_path / "mine.csv").write_text("\n".join(["path,pid,camid,split", *lines]) + "\n")
    _, rows = extract(write_model(), tmp_path / "mine.csv")
    assert [(row["pid"], row["camid"], row["split"]) for row in rows] == [
        ("1", "11", "train"), ("2", "12", "query"), ("0", "10", "gallery"),
    ]  # fmt: skip
    _, rows = extract(write_model(), tmp_path / "mine.csv", "--split", "query", output="query")
    assert [row["path"] for row in rows] == [str(paths[2])]


@pytest.fixture
def damaged(tiny_root, tmp_path):
    folder = tmp_path / "people"
    folder.mkdir()
    for n, path in enumerate(sorted((tiny_root / "Market-1501-v15.09.15" / "query").iterdir())[:8]):
        (folder / f"{n}.jpg").write_bytes(b"no picture" if n in (0, 6) else path.read_bytes())
    return folder


def test_unreadable_images_are_all_named(write_model, extract, damaged, tmp_path):
    with pytest.raises(DatasetError, match=r"2 of 8 images(.|\n)*/0\.jpg cannot(.|\n)*/6\.jpg cannot"):
        extract(write_model(), damaged)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_unreadable_images_are_skipped_on_purpose(write_model, extract, damaged, tmp_path, capsys):
    model = write_model()
    features, rows = extract(model, damaged, "--skip-unreadable")
    assert [Path(row["path"]).name for row in rows] == [f"{n}.jpg" for n in (1, 2, 3, 4, 5, 7)]
    np.testing.assert_allclose(features, reidzoo.load(model).embed([row["path"] for row in rows]), atol=1e-6)
    listed = (tmp_path / "out" / "unreadable.csv").read_text().splitlines()
    assert len(listed) == 3 and "0.jpg" in listed[1] and "6.jpg" in listed[2]
    assert "2 of 8 images cannot be read" in capsys.readouterr().out


def test_nothing_readable(write_model, extract, tmp_path):
    (tmp_path / "people").mkdir()
    with pytest.raises(UserError, match="holds no image"):
        extract(write_model(), tmp_path / "people")
    (tmp_path / "people" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of the 1 images"):
        extract(write_model(), tmp_path / "people", "--skip-unreadable")


@pytest.mark.slow
def test_a_model_of_two_networks_takes_each_side_by_its_own(two_views, extract, tiny_root):
    model = reidzoo.load(two_views)
    data = build_dataset("Market1501", tiny_root)
    sides = [model.embed_query([r.path for r in data.query]), model.embed_gallery([r.path for r in data.gallery])]
    features, _ = extract(two_views, "Market1501", "--data-root", tiny_root, "--split", "query", "gallery")
    np.testing.assert_allclose(features, torch.cat(sides), atol=1e-6)
    folder = tiny_root / "Market-1501-v15.09.15" / "query"
    with pytest.raises(UserError, match="--view"):
        extract(two_views, folder, output="a")
    features, rows = extract(two_views, folder, "--view", "gallery", output="a")
    np.testing.assert_allclose(features, model.embed_gallery([row["path"] for row in rows]), atol=1e-6)


@pytest.mark.slow
def test_mistakes(write_model, extract, tiny_root, tmp_path):
    model, folder = write_model(), tiny_root / "Market-1501-v15.09.15" / "query"
    for source, options, part in (
        (folder, ["--split", "query"], "no --split"),
        (folder, ["--view", "query"], "two networks"),
        (folder, ["--batch-size", "0"], "--batch-size"),
        ("nowhere/at/all", [], "neither a folder"),
        ("Marked1501", [], "Market1501"),
        ("Market1501", ["--data-root", str(tmp_path)], "was not found"),
        ("{type: CUHK03NP, split: x", [], "no such dataset"),
        ("{type: CSVDataset, file: 2024-13-45}", [], "no such file"),
        (tmp_path / "none.csv", [], "no such file"),
    ):
        with pytest.raises(UserError, match=part):
            extract(model, source, *options)
    with pytest.raises(UserError, match="there already"):
        extract(model, folder, output=".")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_replaced_is_refused_before_the_work(
    write_model, extract, damaged, tmp_path, monkeypatch
):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    extract(write_model(), damaged, "--skip-unreadable", output="link")
    assert (tmp_path / "real" / "index.csv").exists()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="cannot be replaced: it is where you are"):
        extract("no model", damaged, output="here")


def test_a_name_that_no_list_can_hold_is_refused_before_the_work(write_model, extract, tiny_root, tmp_path):
    folder = os.fsencode(tmp_path / "people")
    os.mkdir(folder)
    shutil.copy(next((tiny_root / "Market-1501-v15.09.15" / "query").iterdir()), folder + b"/caf\xe9.jpg")
    with pytest.raises(DatasetError, match=r"1 images have a path that is not UTF-8.*caf\\udce9\.jpg"):
        extract(write_model(), tmp_path / "people")


def test_from_the_command_line(write_model, run_tool, tiny_root, tmp_path):
    model, folder = write_model(), tiny_root / "Market-1501-v15.09.15" / "query"
    (tmp_path / "out").mkdir()  # an empty folder will do
    run = run_tool("extract_features.py", "--weights", model, folder, "--output", tmp_path / "out")
    assert run.returncode == 0 and "features.npy (24 x 32, float32)" in run.stdout, run.stderr
    run = run_tool("extract_features.py", "--weights", model, folder, "--output", tmp_path / "out")
    assert run.returncode == 2 and "Traceback" not in run.stderr
