from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from reidzoo.tables import make_plan, read_table

STAGES = """
    DATASETS: {ROOT: data, TRAIN: {train: RandPerson}, TESTS: [Market1501]}
    LOSSES: {id: {type: CrossEntropyLoss}}
    STAGES:
      first: {SOLVER: {MAX_EPOCHS: 3}}
      second:
        WEIGHTS: {model: "stage:first"}
        DATASETS:
          TRAIN: {train: [RandPerson, {type: PseudoLabeled, dataset: {type: MSMT17}, labels: "stage:first/a.csv"}]}
      third: {WEIGHTS: {model: "stage:second"}}
"""
TABLE = """
    TITLE: A table
    METRICS: [mAP, rank-1]
    TARGET: Market1501
    SEEDS: 2
    OVERLAY: small.yml
    ROWS:
      one: {LABEL: The first, CONFIG: stages.yml, STAGE: first, PAPER: {mAP: 40.0}}
      gap: {LABEL: The gap, GAP: no data, PAPER: {mAP: 41.0}}
      two: {LABEL: The second, CONFIG: stages.yml, STAGE: second, PAPER: {mAP: 42.5, rank-1: 70}}
      other: {CONFIG: stages.yml, STAGE: second, OVERRIDES: {STAGES: {second: {LOSSES: {id: {smoothing: 0.1}}}}}}
      last: {CONFIG: stages.yml}
    CLAIMS:
      - {WORSE: one, BETTER: two, METRIC: mAP}
"""
SMALL = """
    SOLVER: {MAX_EPOCHS: 1}
    STAGES:
      second: {SOLVER: {ITERS_PER_EPOCH: 3}}
      elsewhere: {CLUSTERER: {k1: 3}, HOOKS: {schedule: {milestones: [1]}}}
"""
STUB = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[1])
with open(folder.parent / "ran.txt", "a") as log:
    log.write(folder.name + "\\n")
if (folder.parent / "broken" / folder.name.split("-")[0]).exists():
    sys.exit("error: out of luck")
figure = float(folder.name[-1]) / 100 + len(folder.name.split("-")[0]) / 10
figures = {"mAP": figure, "rank-1": figure}
(folder / "results.json").write_text(json.dumps({"Market1501 twin": figures, "probe": {"accuracy": figure}}))
(folder / "model_final.pth").write_text("")
"""
"""Stands for a training run: takes a moment, and its figures follow from the stage's name and the seed."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write(name, text)`` writes a dedented file; the working directory is its folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write_file


@pytest.fixture
def table(write):
    """``table(text)`` reads a table file beside ``stages.yml`` and ``small.yml``; by default ``TABLE``."""
    write("stages.yml", STAGES)
    write("small.yml", SMALL)
    return lambda text=TABLE: read_table(write("table1.yml", text))


@pytest.fixture
def plan(table, tmp_path):
    """``plan(...)`` plans ``TABLE``, or the table given, with the arguments of ``make_plan``."""

    def make(given=None, seeds=(0, 1), **options):
        return make_plan(given or table(), tmp_path / "out", list(seeds), **options)

    return make


@pytest.fixture
def stub():
    """The command that stands for a unit's training."""
    return lambda unit: [sys.executable, "-S", "-c", STUB, str(unit.folder)]
