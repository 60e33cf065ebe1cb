"""Two processes under torchrun give the losses, the weights and the evaluation that one gives, up to float error."""

from __future__ import annotations

import json

import pytest
import torch

from reidzoo.distributed import my_slice

from .conftest import ADVERSARIAL

SUPERVISED = {"HOOKS": {"schedule": {"type": "ConstantSchedule"}}}
ADAPTATION = {
    "DATASETS": {
        "TRAIN": {"source": "RandPerson", "target": {"type": "Unlabeled", "dataset": {"type": "Market1501"}}},
    },
    "TRAINER": {"type": "DomainAdaptationTrainer"},
    "MEMORIES": {"memory": {"type": "HybridMemory"}},
    "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
    "LOSSES": {
        "source": {"type": "CrossEntropyLoss", "inputs": {"logits": "source_scores", "pid": "source_label"}},
        "target": {"type": "CrossEntropyLoss", "inputs": {"logits": "target_scores", "pid": "target_label"}},
    },
    "HOOKS": {
        "memory": {"type": "MemoryHook"},
        "cluster": {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons", "period": 2},
    },
}

REFINED = {
    **ADVERSARIAL,
    "DATASETS": {"TRAIN": {"train": ["RandPerson", {"type": "Unlabeled", "dataset": {"type": "Market1501"}}]}},
    "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
    "HOOKS": {
        "turns": {"type": "IterationPhaseHook", "steps": {"discriminator": 1, "model": 1}},
        "cluster": {"type": "PseudoLabelHook", "target": "train", "domain": 1, "classifier": "means", "period": 2},
    },
}


@pytest.mark.parametrize(
    "changes",
    [
        {**SUPERVISED, "MODEL": {"BN_GROUP": 0}},
        {**SUPERVISED, "MODEL": {"BN_GROUP": 8}},
        {**ADAPTATION, "MODEL": {"BN_DOMAINS": 2}},
        REFINED,
    ],
    ids=["whole-batch-bn", "bn-of-8", "adaptation", "adversarial"],
)
def test_two_processes_equal_one(write_config, train_in_one_and_two, changes):
    runs = train_in_one_and_two(write_config(LOG={"PERIOD": 1}, **changes))
    rows = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    assert len(rows[0]) == len(rows[1]) == 9
    for one, two in zip(*rows):
        if "evaluation" in one:
            (one,), (two,) = one["evaluation"].values(), two["evaluation"].values()
            assert one == pytest.approx(two, abs=0.05)  # one of 24 queries may find another image first
        else:
            assert one == pytest.approx(two, rel=1e-4)
    states = [torch.load(run / "model_final.pth", weights_only=True) for run in runs]
    for key, value in states[0]["parts"]["model"].items():
        torch.testing.assert_close(states[1]["parts"]["model"][key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [1, 512, 513, 3000])
@pytest.mark.parametrize("world", [1, 2, 5])
def test_slices_cover_all_queries_in_order(monkeypatch, count, world):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    seen = []
    for rank in range(world):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        start, stop = my_slice(count, 512)
        assert start % 512 == 0 or start == count
        seen += range(start, stop)
    assert seen == list(range(count))
