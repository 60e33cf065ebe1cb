"""A run killed with SIGKILL anywhere and resumed is, bit for bit, the run that was not."""

from __future__ import annotations

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
