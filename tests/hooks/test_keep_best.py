"""The best epoch by retrieval among held-out identities: which epoch, which weights, and whose mean."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.datasets import TrainSet, build_dataset
from reidzoo.engine.evaluate import evaluate_dataset
from reidzoo.errors import ConfigError
from reidzoo.hooks import CheckpointHook, Hook, KeepBestHook
from reidzoo.registry import HOOK
from reidzoo.runs.pipeline import Pipeline

from ..conftest import assert_equal_runs

pytestmark = pytest.mark.slow

HELD = {"type": "HoldOutIdentities", "part": "train", "held_out": 5, "dataset": "Market1501"}
VAL = {**HELD, "part": "val"}
FIGURES = ("mAP", "rank-1", "rank-5", "rank-10", "rank-20", "mINP")


@pytest.fixture
def stage(write_config, tmp_path):
    """Return a function that trains by a script of validation figures; it returns the evaluations and the end."""

    def run(script, name="run", others=None, monkeypatch=None, **hook):
        if monkeypatch is not None:
            seen = iter(script)
            monkeypatch.setattr(KeepBestHook, "measure", lambda self, runner: dict.fromkeys(FIGURES, next(seen)))
        path = write_config(
            OUTPUT_DIR=str(tmp_path / name),
            DATASETS={"TRAIN": {"train": HELD}},
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": len(script), "CHECKPOINT_PERIOD": 1},
            HOOKS={"best": {"type": "KeepBestHook", **hook}, **(others or {})},
        )
        Pipeline(load_config(path)).train()
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        found = [row["evaluation"]["validation"] for row in rows if "validation" in row.get("evaluation", {})]
        return found, torch.load(tmp_path / name / "model_final.pth", weights_only=True)

    return run


def assert_same(state, other):
    for key, value in other["parts"]["model"].items():
        assert torch.equal(state["parts"]["model"][key], value), key


def test_the_first_of_the_best_epochs_is_kept_and_patience_stops(stage, monkeypatch):
    found, state = stage((0.1, 0.4, 0.4, 0.2, 0.9), patience=2, monkeypatch=monkeypatch)
    assert [(row["mAP"], row["best_mAP"], row["kept_epoch"]) for row in found] == [
        (0.1, 0.1, 1), (0.4, 0.4, 2), (0.4, 0.4, 2), (0.2, 0.4, 2),
    ]  # fmt: skip
    assert state["epoch"] == 4
    assert_same(state, stage((0.1, 0.4), "two epochs", monkeypatch=monkeypatch)[1])


class RegroupHook(Hook):
    """Relabels before each epoch, with fewer classes each time."""

    def before_train_epoch(self, runner):
        runner.relabel("train", torch.arange(len(runner.sets["train"])) // (4 + runner.epoch))


@pytest.mark.parametrize("mean", [{}, {"ema": {"type": "EMAHook"}}])
def test_the_best_epochs_classes_come_back_with_it(write_config, tmp_path, monkeypatch, mean):
    monkeypatch.setitem(HOOK.module_dict, "RegroupHook", RegroupHook)

    def run(name, epochs):
        seen = iter((0.4, 0.1, 0.2))
        monkeypatch.setattr(KeepBestHook, "measure", lambda self, runner: dict.fromkeys(FIGURES, next(seen)))
        path = write_config(
            OUTPUT_DIR=str(tmp_path / name),
            DATASETS={"TRAIN": {"train": HELD}},
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": epochs},
            HOOKS={"best": {"type": "KeepBestHook"}, "regroup": {"type": "RegroupHook"}, **mean},
        )
        return Pipeline(load_config(path))

    def state_of(name):
        return torch.load(tmp_path / name / "model_final.pth", weights_only=True)

    run("one epoch", 1).train()
    run("whole", 3).train()
    assert_same(state_of("whole"), state_of("one epoch"))
    assert torch.equal(state_of("whole")["labels"]["train"], state_of("one epoch")["labels"]["train"])
    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(CheckpointHook, "after_train", die)
        run("died", 3).train()
    run("died", 3).train(go_on=True)
    assert_equal_runs(tmp_path / "died", tmp_path / "whole")


def die(*_):
    raise InterruptedError


def test_a_period_and_the_last_epoch(stage, monkeypatch):
    found, state = stage((0.1, 0.4, 0.2), period=2, figure="rank-1", monkeypatch=monkeypatch)  # after epochs 2 and 3
    assert [row["rank-1"] for row in found] == [0.1, 0.4] and found[-1]["kept_epoch"] == 3
    assert found[-1]["best_rank-1"] == 0.4 and state["epoch"] == 3


def test_what_is_before_the_first_epoch_is_no_candidate(stage, monkeypatch):
    found, _ = stage((0.9, 0.5, 0.2), begin_epoch=1, monkeypatch=monkeypatch)  # measured after epochs 2 and 3
    assert [row["mAP"] for row in found] == [0.9, 0.5] and found[-1]["kept_epoch"] == 2


def test_the_mean_is_validated_and_kept(stage, tmp_path):
    """What the hook writes is what the model that it keeps has on the validation set, tested anew."""
    found, state = stage((0, 0), others={"ema": {"type": "EMAHook", "momentum": 0.75}})
    run = Pipeline(load_config(tmp_path / "run" / "config.yml"))
    cfg = run.stages["train"]
    from reidzoo.engine.build import load_embedder

    model = load_embedder(cfg, tmp_path / "run" / "model_final.pth").eval()
    dataset = build_dataset(VAL, root=cfg.DATASETS.ROOT)
    again = evaluate_dataset(cfg, model, dataset, torch.device("cpu"))
    assert again["mAP"] == pytest.approx(max(row["mAP"] for row in found)) == found[-1]["best_mAP"]
    held, trained = (TrainSet([build_dataset(node, root=cfg.DATASETS.ROOT)]) for node in (VAL, HELD))
    assert not {r.pid for r in held.records} & {r.pid for r in trained.records}
    assert state["hooks"]["ema"]["raw"]


def test_a_killed_run_ends_as_a_whole_one(write_config, tmp_path, resumes_bit_for_bit):
    def config(name):
        path = write_config(
            OUTPUT_DIR=str(tmp_path / name),
            STAGES={"all": {}},
            DATASETS={"TRAIN": {"train": HELD}},
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 2, "MAX_EPOCHS": 3, "CHECKPOINT_PERIOD": 1},
            INPUT={
                "SIZE": [32, 16],
                "TRANSFORMS": {
                    "_REPLACE_": True,
                    "colours": {"type": "torchvision.transforms.v2.ColorJitter", "brightness": 0.3},
                    "patch": {"type": "RandomPatch"},
                    "normalize": {"type": "Normalize"},
                },
            },
            HOOKS={
                "mix": {"type": "MixStyleHook", "layers": ["backbone.layer2"]},
                "best": {"type": "KeepBestHook", "patience": 2},
                "schedule": {"type": "PlateauSchedule", "figure": "mAP", "patience": 0, "gamma": 0.5},
                "freeze": {"type": "FreezeHook", "modules": ["backbone.layer1"], "end_epoch": 1},
            },
            OPTIMIZERS={"model": {"groups": {"norm": {"weight_decay": 0.0}, "bias": {"lr_mult": 2.0}}}},
        )
        return load_config(path)

    resumes_bit_for_bit(config, "all", at=5, saved=(2, 0))


def test_tests_may_name_held_out_identities_that_are_not_trained_on(write_config, tmp_path):
    def found(train):
        path = write_config(DATASETS={"TRAIN": {"train": train}, "TESTS": [VAL, "Market1501"]})
        return Pipeline(load_config(path)).dry_run().findings.texts()

    assert found(HELD) == []
    assert "identities that are validated on are trained on" in "\n".join(found("Market1501"))
    other = {**HELD, "held_out": HELD["held_out"] - 1}  # the same dataset, divided otherwise
    assert "Market1501 val: 1 identities that are validated on are trained on" in "\n".join(found(other))


@pytest.mark.parametrize(
    "hook, train, message",
    [
        ({}, "Market1501", "KeepBestHook finds no validation part"),
        ({"validation": "Market1501"}, HELD, "identities are trained on and validated on"),
        (
            {"validation": {"type": "HoldOut", "dataset": "Market1501", "part": "val"}},
            HELD,
            "part: val would be tested",
        ),
    ],
)
def test_mistakes_are_found_before_the_first_step(write_config, hook, train, message):
    path = write_config(DATASETS={"TRAIN": {"train": train}}, HOOKS={"best": {"type": "KeepBestHook", **hook}})
    with pytest.raises(ConfigError, match=message):
        Pipeline(load_config(path)).train()
