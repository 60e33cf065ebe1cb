"""A run killed with SIGKILL anywhere and resumed is, bit for bit, the run that was not."""

from __future__ import annotations

import signal

import pytest
import torch

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
        "TRAINER": {"type": "AdversarialTrainer"},
        "DISCRIMINATORS": {"discriminator": {"type": "MLPDiscriminator", "widths": [16]}},
        "LOSSES": {
            "balance": {"type": "DomainBalanceLoss"},
            "domain": {
                "type": "CrossEntropyLoss",
                "inputs": {"logits": "domain_logits", "pid": "domain"},
                "phase": "discriminator",
            },
        },
        "OPTIMIZERS": {"discriminator": {"type": "Adam", "lr": 1e-3}},
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


def tensors(folder):
    found = {}

    def walk(prefix, value):
        if isinstance(value, torch.Tensor):
            found[prefix] = value
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(f"{prefix}.{key}", item)
        elif isinstance(value, list):
            for key, item in enumerate(value):
                walk(f"{prefix}.{key}", item)
        else:
            found[prefix] = torch.tensor(-1) if value is None else value

    walk("", torch.load(folder / "model_final.pth", weights_only=True))
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_in_every_stage_and_resumed_equals_uninterrupted(config, run_tool, tmp_path, workers):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run = run_tool("train_net.py", "--config-file", config, "--output-dir", whole)
    assert run.returncode == 0, run.stderr

    (tmp_path / "marks").mkdir()
    arguments = ["--config-file", config, "--output-dir", killed, "DATALOADER.NUM_WORKERS", workers]
    codes = [run_tool("train_net.py", *arguments).returncode]
    for _ in STAGES:
        run = run_tool("train_net.py", *arguments, "--resume")
        codes.append(run.returncode)
    assert codes == [-signal.SIGKILL] * 3 + [0], run.stderr

    for stage in STAGES:
        ours, theirs = tensors(killed / stage), tensors(whole / stage)
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            same = torch.equal(ours[key], value) if isinstance(value, torch.Tensor) else ours[key] == value
            assert same, f"{stage}{key}"
        for file in ("metrics.jsonl", "results.json"):
            assert (killed / stage / file).read_bytes() == (whole / stage / file).read_bytes()
    assert (killed / "label/pseudo_labels.csv").read_bytes() == (whole / "label/pseudo_labels.csv").read_bytes()
