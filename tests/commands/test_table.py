"""The runner of tables as its users meet it: it trains, shares, goes on, prints, and says what is wrong."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from reidzoo import commands
from reidzoo.errors import Paused, UserError

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
TABLE = """
TITLE: A tiny table
METRICS: [mAP]
TARGET: Market1501
SEEDS: 2
OVERLAY: small.yml
ROWS:
  first: {LABEL: the first, CONFIG: tiny.yml, STAGE: one, PAPER: {mAP: 40}}
  second: {LABEL: the second, CONFIG: tiny.yml}
CLAIMS:
  - {WORSE: first, BETTER: second, METRIC: mAP}
SWEEPS:
  rate: {CONFIG: tiny.yml, STAGE: one, KEY: OPTIMIZERS.model.lr, VALUES: [3.5e-4, 1.0e-3]}
"""
STAGES = {
    "one": {"DATASETS": {"TRAIN": {"train": "RandPerson"}}},
    "two": {"WEIGHTS": {"model": "stage:one"}, "WEIGHTS_IGNORE": ["head.classifier.*"]},
}


@pytest.fixture
def project(write_config, tmp_path, monkeypatch):
    """The folder of a project with a table of two stages."""
    write_config("tiny.yml", STAGES=STAGES)
    (tmp_path / "small.yml").write_text(yaml.safe_dump({"SOLVER": {"MAX_EPOCHS": 1, "ITERS_PER_EPOCH": 2}}))
    (tmp_path / "table1.yml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(project, monkeypatch, capsys):
    """``call(*arguments)`` runs the tool in this process and returns what it printed to both streams."""

    def run(*arguments):
        commands.call("table", project / "table1.yml", *arguments)
        return capsys.readouterr()

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


def test_a_table_is_run_and_goes_on_where_it_stopped(project, run_tool, call):
    run = run_tool("run_table.py", "table1.yml", "--mini", "--seeds", 1, "--only", "first", cwd=project)
    assert run.returncode == 0, run.stderr
    out = project / "output" / project.name / "tables-mini"
    (one,) = (out / "stages").glob("one-*-s0")
    assert {"config.yml", "output.txt", "results.json", "unit.json", "log.txt"} <= {path.name for path in one.iterdir()}
    first = (one / "results.json").stat().st_mtime_ns

    said = call("--mini", "--seeds", "1", "--only", "second", "--jobs", "2")
    assert (one / "results.json").stat().st_mtime_ns == first  # what the rows share is run once
    assert len(list((out / "stages").glob("*-s0"))) == 2
    assert "[2/2]" in said.err and "on rendered twins" in said.out
    results = json.loads((out / "table1" / "results.json").read_text())
    figures = [row["variants"][""]["metrics"]["mAP"]["mean"] for row in results["rows"]]
    assert all(0 < figure <= 100 for figure in figures[:2])
    assert figures[2] == figures[0] and figures[3] is None  # a sweep's value is the row that has it already
    assert results["claims"][0]["mean"] == pytest.approx(figures[1] - figures[0])
    assert results["environment"]["command"] == "tools/run_table.py table1.yml --mini --seeds 1"
    assert "| the second " in (out / "table1" / "table.md").read_text()
    assert (out / "table1" / "rate.svg").exists()


def test_a_profile_is_another_size_in_a_folder_of_its_own(call, project):
    (project / "quick.yml").write_text(yaml.safe_dump({"SOLVER": {"MAX_EPOCHS": 1, "ITERS_PER_EPOCH": 3}}))
    (project / "table1.yml").write_text(TABLE + "PROFILES: {quick: quick.yml}\n")
    call("--profile", "quick", "--seeds", "1", "--only", "first")
    folder = project / "output" / project.name
    (one,) = (folder / "tables-quick" / "stages").glob("one-*-s0")
    assert yaml.safe_load((one / "config.yml").read_text())["SOLVER"]["ITERS_PER_EPOCH"] == 3
    results = json.loads((folder / "tables-quick" / "table1" / "results.json").read_text())
    assert results["title"] == "A tiny table (profile quick)" and list(folder.iterdir()) == [folder / "tables-quick"]
    with pytest.raises(UserError, match=r"--profile.*quick"):
        call("--profile", "quack")


def test_a_limit_on_the_time_leaves_what_has_not_run_to_the_next_call(call, project, capsys):
    arguments = ("--mini", "--seeds", "1", "--only", "second")
    with pytest.raises(Paused, match="2 runs are left"):
        call(*arguments, "--seconds", "1")
    assert "0 of 1" in capsys.readouterr().out
    assert "0 of 2 done" in call(*arguments, "--dry-run").out
    with pytest.raises(UserError, match="--seconds take a number from 1 up"):
        call(*arguments, "--seconds", "0")


def test_a_cluster_runs_a_table(call, project):
    pytest.importorskip("submitit")
    options = ["--launcher", "submitit", "--launcher-option", "cluster=local", "--launcher-option", "timeout_min=5"]
    call("--mini", "--seeds", "1", "--only", "first", *options)
    out = project / "output" / project.name / "tables-mini"
    (one,) = (out / "stages").glob("one-*-s0")
    assert {"output.txt", "results.json"} <= {path.name for path in one.iterdir()} and list((out / "jobs").iterdir())
    results = json.loads((out / "table1" / "results.json").read_text())
    assert 0 < results["rows"][0]["variants"][""]["metrics"]["mAP"]["mean"] <= 100


def test_what_fails_is_named_with_its_log(call, capsys, tiny_root, tmp_path):
    shutil.copytree(tiny_root, tmp_path / "data")
    for image in (tmp_path / "data" / "Market-1501-v15.09.15" / "query").iterdir():
        image.write_bytes(image.read_bytes()[:-20])  # its header says nothing of it
    with pytest.raises(SystemExit) as ended:
        call("DATASETS.ROOT", str(tmp_path / "data"), "--seeds", "1", "--only", "second")
    assert ended.value.code == 1
    said = capsys.readouterr()
    failed = [line for line in said.err.splitlines() if line.startswith("failed: ")]
    assert "cannot be read" in failed[0] and "output.txt" in failed[0]
    assert "needs one-" in failed[1]
    assert "0 of 1" in said.out


@pytest.mark.parametrize("key", ["HEAD.type", "STAGES.two.HEAD.type"])
def test_a_mistake_in_any_unit_stops_it_before_the_first_trains(call, project, key):
    with pytest.raises(UserError, match=r"BNNek.*Did you mean BNNeck"):
        call(key, "BNNek", "--only", "second")
    assert not list(project.glob("output/**/*.pth"))


def test_wrong_options_of_a_launcher_are_named_before_the_trial(call, project, monkeypatch):
    monkeypatch.setattr("reidzoo.commands.table._try_out", lambda units: pytest.fail("tried out"))
    with pytest.raises(UserError, match="--launcher-option: not valid YAML"):
        call("--mini", "--launcher", "submitit", "--launcher-option", "a=[")


def test_a_dry_run_lists_and_runs_nothing(call, project):
    said = call("--dry-run", "--only", "second").out
    assert said.count("to run") == 4 and "0 of 4 done" in said
    assert said.count("0 of 2") == 4  # the rows, the sweep's included
    assert not (project / "output").exists()


def test_a_sweep_stands_for_its_rows(call):
    one, both = (call("--dry-run", "--only", name).out.count("to run") for name in ("rate=0.001", "rate"))
    assert (one, both) == (2, 4)  # two seeds


def test_a_missing_dataset_stops_it_before_anything_runs(call, project):
    with pytest.raises(UserError, match="Market1501 was not found"):
        call("DATASETS.ROOT", str(project / "elsewhere"))
    assert not (project / "output").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--only", "secnd"], ["--only secnd", "did you mean second?"]),
        (["--only", "first", "SEED", "3"], ["--only SEED", "KEY VALUE"]),
        (["--variants", "R50"], ["--variants R50"]),
        (["--seeds", "0"], ["--seeds"]),
        (["SOLVER.MAXX", "3"], ["ROWS.first", "SOLVER.MAX_EPOCHS"]),
        (["--overlay", "smal.yml"], ["smal.yml", "small.yml"]),
    ],
)
def test_mistakes(call, arguments, parts):
    with pytest.raises(UserError) as caught:
        call("--dry-run", *arguments)
    for part in parts:
        assert part in str(caught.value)


def test_a_table_is_put_into_the_project_without_the_machines_paths(call, project, monkeypatch):
    monkeypatch.setattr("reidzoo.commands.table.ROOT", project)
    (project / "pyproject.toml").touch()
    (project / "README.md").write_text("<!-- table: results/table1.json -->\n<!-- end of table -->\n")
    said = call(
        "--dry-run", "--record", "--mini", "--seeds", "3", "--output-dir", "/tmp/x", "DATASETS.ROOT", "/data/re"
    ).out
    assert "table1.json" in said and "README.md" in said
    recorded = (project / "results" / "table1.json").read_text()
    assert str(project) not in recorded and "/data" not in recorded and "/tmp" not in recorded
    filled = (project / "README.md").read_text()
    assert "| the second " in filled and "table1.yml --mini --seeds 3 DATASETS.ROOT re`" in filled
    assert (project / "results" / "table1-rate.svg").exists()
