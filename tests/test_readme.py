"""The README's Python runs as it stands, on the rendered twin that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reidzoo import zoo
from reidzoo.commands import call
from reidzoo.datasets import Market1501

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
SECTION = re.compile(r"^## Use a trained model\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)


def test_the_section_on_trained_models_runs(market_twin, monkeypatch, capsys):
    section = SECTION.search(README.read_text())
    assert section, "README.md has no section '## Use a trained model'"
    blocks = re.findall(r"```python\n(.*?)```", section[1], re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(market_twin.parent)
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    stated = zoo.entry("domainmix_mini").metrics["Market1501 twin"]
    assert said.count(".jpg") == 5
    assert float(re.search(r"mAP ([\d.]+), rank-1", said)[1]) == pytest.approx(stated["mAP"], abs=0.0015)
    assert float(re.search(r"one person twice: (\S+)", said)[1]) > float(re.search(r"two people: (\S+)", said)[1])


def test_the_three_lines_run(market_twin, monkeypatch):
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    monkeypatch.chdir(market_twin.parent)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["features"].shape == (1, 128) and float(names["features"].norm()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_own_images_by_the_file_as_it_is_printed(tiny_root, tmp_path, monkeypatch, capsys):
    section = re.search(r"^## Your own images\n(.*?)(?=^## )", README.read_text(), re.MULTILINE | re.DOTALL)[1]
    printed = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1]
    assert printed == (REPOSITORY / "configs/own_data.yml").read_text()
    data = Market1501(tiny_root)
    for number, record in enumerate([*data.train, *data.query, *data.gallery]):
        path = tmp_path / "my_data/people" / f"person{record.pid}" / f"{number:03d}_c{record.camid}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(record.path)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^reidzoo (\w+) (.*)$", section, re.MULTILINE)
    assert [name for name, _ in commands] == ["check", "split", "train", "test"]
    for name, words in commands:
        short = {"train": "SOLVER.MAX_EPOCHS 1 SOLVER.ITERS_PER_EPOCH 2 DEVICE cpu", "test": "DEVICE cpu"}.get(name, "")
        call(name, *words.split(), *short.split())
    printed = capsys.readouterr().out
    assert printed.count("crops") >= 2 and "output/configs/own_data" in printed


@pytest.mark.slow
def test_own_images_without_names(market_twin, tmp_path, monkeypatch, capsys):
    images = sorted(market_twin.glob("*/bounding_box_test/*.jpg"))
    for number, path in enumerate(path for path in images if not path.name.startswith(("-1", "0000"))):
        if number < 120:
            (tmp_path / "my_data/unlabeled" / path.name.split("_")[1][:2]).mkdir(parents=True, exist_ok=True)
            (tmp_path / "my_data/unlabeled" / path.name.split("_")[1][:2] / f"{number}.jpg").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    file = REPOSITORY / "configs/own_unlabeled.yml"
    short = (
        "SOLVER.MAX_EPOCHS 1 SOLVER.ITERS_PER_EPOCH 2 SOLVER.IMS_PER_BATCH 16 STAGES.spcl.HOOKS.schedule.milestones [1]"
    )
    call("train", "--config-file", str(file), *short.split(), "DEVICE", "cpu")
    log = (tmp_path / "output/configs/own_unlabeled/log.txt").read_text()
    assert "mAP" not in capsys.readouterr().out, "there is nothing to test on, and no empty table of it"
    assert "120 images, 0 identities" in log and re.search(r"pseudo labels: \d+ clusters", log)
