"""Whole runs: killed and resumed, in two processes, and at the paper's size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from reidzoo.config import dump, load_config
from reidzoo.engine.build import build_model
from reidzoo.runs.pipeline import Pipeline
from reidzoo.tables import make_plan, read_table

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def config(tiny_config, tmp_path, killer):
    """The tiny CUHK03 as a file of its own, with a hook that kills each stage once within its second epoch."""
    text = yaml.safe_load(dump(tiny_config(**{"SOLVER.CHECKPOINT_ITERS": 3})))
    text["PLUGINS"].append(killer.stem)
    text["HOOKS"]["kill"] = {"type": "KillOnceHook", "at": 7, "marks": str(tmp_path / "marks")}
    path = tmp_path / "run.yml"
    path.write_text(yaml.safe_dump(text, sort_keys=False))
    return path


def test_killed_in_every_stage_and_resumed_equals_uninterrupted(config, resumes_after_sigkill):
    whole = resumes_after_sigkill(config, ["finetune", "similarity", "adapt"])
    results = json.loads((whole / "adapt" / "results.json").read_text())
    assert set(results) == {"probe", "CUHK03 twin"}


def test_two_processes_equal_one(config, train_in_one_and_two):
    text = yaml.safe_load(config.read_text())
    # Adam makes whole steps of the rounding errors that a bias before batch norm has for a gradient.
    text["STAGES"]["adapt"]["OPTIMIZERS"]["view"] = {"type": "SGD", "lr": 0.01}
    config.write_text(yaml.safe_dump(text, sort_keys=False))
    runs = train_in_one_and_two(config)
    for stage in ("similarity", "adapt"):
        one, two = (
            [json.loads(line) for line in (run / stage / "metrics.jsonl").read_text().splitlines()] for run in runs
        )
        assert len(one) == len(two)
        for left, right in zip(one, two):
            if "evaluation" in left:
                left, right = (side["evaluation"].get("validation", {}) for side in (left, right))
                left, right = ({k: v for k, v in side.items() if "loss" in k} for side in (left, right))
            assert left == pytest.approx(right, rel=1e-3)
        states = [torch.load(run / stage / "model_final.pth", weights_only=True) for run in runs]
        for part in states[0]["parts"]:
            for key, value in states[0]["parts"][part].items():
                torch.testing.assert_close(states[1]["parts"][part][key], value, rtol=1e-2, atol=1e-3)


def test_a_seed_has_a_split_of_its_own(tiny_config):
    splits = [Pipeline(tiny_config(SEED=seed)).stages["adapt"].DATASETS.TESTS[0]["split"] for seed in (0, 3)]
    assert splits == [0, 3]


def test_a_trained_model_is_tested_from_its_checkpoint(config, run_tool, tmp_path):
    run = run_tool("train_net.py", "--config-file", config)
    assert run.returncode == 0, run.stderr
    folder = tmp_path / "run"
    for stage in ("finetune", "adapt"):
        weights = folder / stage / "model_final.pth"
        (found,) = Pipeline(load_config(config)).evaluate(str(weights), stage).values()
        expected = json.loads((folder / stage / "results.json").read_text())["CUHK03 twin"]
        assert found["CUHK03 twin"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("file, channels", [("cuhk03.yml", 512), ("cuhk03_resnet.yml", 2048)])
def test_the_papers_networks(file, channels):
    cfg = load_config(REPOSITORY / "projects" / "ViewAdaptation" / file)
    model = build_model(cfg, num_classes=0, initialise=False)
    assert model.embedding_dim == channels and not model.normalise
    sizes = [sum(p.numel() for p in net.parameters()) for net in (model.query, model.gallery)]
    assert (sizes == [6_528_640, 14_714_688]) == (file == "cuhk03.yml")


@pytest.mark.parametrize("name", ["table2", "table6", "table7", "table_weighting", "sweeps", "table_alternation"])
def test_every_rows_model_is_small_at_mini_size(name, tmp_path):
    plan = make_plan(read_table(REPOSITORY / "projects" / "ViewAdaptation" / f"{name}.yml"), tmp_path, [0], mini=True)
    configs = {str((cfg.BACKBONE, cfg.MODEL, cfg.HEAD)): cfg for cfg in (unit.config for unit in plan.units.values())}
    for cfg in configs.values():
        model = build_model(cfg, num_classes=4, initialise=False)
        assert model.embedding_dim == 128 and sum(p.numel() for p in model.parameters()) < 2e6
