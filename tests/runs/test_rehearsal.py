"""Later stages' parts are built before the first one trains, and nothing is left of it."""

from __future__ import annotations

import logging

import pytest

from reidzoo.config import load_config
from reidzoo.errors import ConfigError
from reidzoo.runs.pipeline import Pipeline
from reidzoo.runs.rehearsal import rehearse

SHORT = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 1, "MAX_EPOCHS": 1}
LATER = {"WEIGHTS": {"model": "stage:first"}}


@pytest.fixture
def stages(write_config):
    def stages(**second):
        path = write_config(SOLVER=SHORT, STAGES={"first": {}, "second": {**LATER, **second}})
        return Pipeline(load_config(path))

    return stages


@pytest.mark.parametrize(
    "second, message",
    [
        ({"OPTIMIZERS": {"model": {"params": ["model.neck"]}}}, "nothing to train is called 'model.neck'"),
        ({"LOSSES": {"extra": {"type": "CrossEntropyLoss", "phase": "other"}}}, "no phase 'other'"),
        ({"HOOKS": {"turns": {"type": "EpochPhaseHook", "order": ["other"]}}}, "no phase 'other'"),
        ({"HEAD": {"type": "DualBranchHead", "width": "wide"}}, "width must be"),
    ],
)
def test_a_mistake_in_the_second_stage_ends_the_run_before_the_first(stages, tmp_path, second, message):
    with pytest.raises(ConfigError, match=message):
        stages(**second).train()
    assert not (tmp_path / "run/first").exists()


def test_nothing_is_written_or_said_and_the_configuration_stays(stages, tmp_path, caplog):
    pipeline = stages()
    before = {name: repr(cfg) for name, cfg in pipeline.stages.items()}
    with caplog.at_level(logging.INFO, logger="reidzoo"):
        rehearse(pipeline.stages, tmp_path / "run")
    assert not caplog.records and not (tmp_path / "run").exists()
    assert {name: repr(cfg) for name, cfg in pipeline.stages.items()} == before
    assert all(cfg.is_frozen() for cfg in pipeline.stages.values())
    assert not logging.getLogger("reidzoo").disabled


def test_a_stage_that_waits_for_labels_is_passed_over(stages, tmp_path):
    waits = {"type": "PseudoLabeled", "dataset": "Market1501", "labels": "stage:first/labels.csv"}
    pipeline = stages(DATASETS={"TRAIN": {"train": waits}}, OPTIMIZERS={"model": {"params": ["model.neck"]}})
    rehearse(pipeline.stages, tmp_path / "run")  # how many classes there are is not known, so neither is the rest
