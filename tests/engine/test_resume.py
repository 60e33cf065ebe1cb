"""A run killed with SIGKILL anywhere and resumed is, bit for bit, the run that was not."""

from __future__ import annotations

import json

import pytest

from ..conftest import ADVERSARIAL

STAGES = {
    "label": {
        "DATASETS": {
            "TRAIN": {
                "train": None,
                "source": "RandPerson",
                "target": {"type": "Unlabeled", "dataset": {"type": "MSMT17"}},
            }
        },
        "MODEL": {"BN_DOMAINS": 2},
        "TRAINER": {"type": "DomainAdaptationTrainer"},
        "MEMORIES": {"memory": {"type": "HybridMemory"}},
        "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
        "LOSSES": {
            "id": None,
            "triplet": None,
            "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
            "target": {"type": "CrossEntropyLoss", "inputs": {"logits": "target_scores", "pid": "target_label"}},
        },
        "HOOKS": {
            "schedule": {"type": "CosineSchedule", "warmup_epochs": 0.5},
            "memory": {"type": "MemoryHook"},
            "cluster": {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons"},
            "export": {"type": "ExportPseudoLabelsHook", "min_size": 1, "max_size": 120},
            "ema": {"type": "EMAHook", "momentum": 0.5},
        },
    },
    "backbone": {"HOOKS": {"ema": {"type": "EMAHook", "momentum": 0.9}}},
    "alternate": {
        "WEIGHTS": {"model": "stage:backbone"},
        **ADVERSARIAL,
        "HOOKS": {"turns": {"type": "IterationPhaseHook", "steps": {"discriminator": 1, "model": 2}}},
    },
}
MIXED = {
    "train": [
        "RandPerson",
        {"type": "PseudoLabeled", "dataset": {"type": "MSMT17"}, "labels": "stage:label/pseudo_labels.csv"},
    ]
}


@pytest.fixture
def config(write_config, tmp_path, killer):
    stages = {name: dict(stage) for name, stage in STAGES.items()}
    for name in ("backbone", "alternate"):
        stages[name]["DATASETS"] = {"TRAIN": MIXED}
    for stage in stages.values():
        kill = {"type": "KillOnceHook", "at": 7, "marks": str(tmp_path / "marks")}
        stage["HOOKS"] = {**stage.get("HOOKS", {}), "kill": kill}
    return write_config(
        PLUGINS=[killer.stem],
        STAGES=stages,
        HEAD={"type": "BNNeck"},
        SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 3, "CHECKPOINT_ITERS": 3},
        LOG={"PERIOD": 3},
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_in_every_stage_and_resumed_equals_uninterrupted(config, resumes_after_sigkill, tmp_path, workers):
    whole = resumes_after_sigkill(config, list(STAGES), "DATALOADER.NUM_WORKERS", workers)
    labels = "label/pseudo_labels.csv"
    assert (tmp_path / "killed" / labels).read_bytes() == (whole / labels).read_bytes()


def test_another_number_of_processes_takes_a_killed_run_up(write_config, run_processes, killer, tmp_path):
    """Begun by two, which are killed, and taken up by one, and the other way."""
    marks = tmp_path / "marks"
    marks.mkdir()
    kill = {"type": "KillOnceHook", "at": 7, "marks": str(marks)}
    solver = {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 3, "CHECKPOINT_ITERS": 3}
    config = write_config(
        PLUGINS=[killer.stem], HOOKS={"kill": kill}, LOG={"PERIOD": 1}, SOLVER=solver, HEAD={"type": "BNNeck"}
    )

    def train(count, name):
        words = ["-m", "reidzoo", "train", "--config-file", config, "--output-dir", tmp_path / name, "--resume"]
        return [run.returncode for run in run_processes(count, *words)]

    for name, first, second in (("grows", 1, 2), ("shrinks", 2, 1)):
        assert any(train(first, name)) and not any(train(second, name))
    (marks / "whole").touch()
    assert train(1, "whole") == [0]
    whole, *others = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "grows", "shrinks")
    )
    for rows in others:
        for row, expected in zip(rows, whole, strict=True):
            if "evaluation" not in expected:
                assert row == pytest.approx(expected, rel=1e-3)
