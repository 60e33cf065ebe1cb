"""A step with a source and a target against Eq. 1 to 4 of SpCL, and what the memory begins with."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from reidzoo.engine.evaluate import extract_train_features
from reidzoo.registry import TRAINER
from reidzoo.testing.tiny import SOURCE, TARGET, tiny_arguments, tiny_config, write_images


def cross_entropy(domain):
    inputs = {"logits": f"{domain}_scores", "pid": f"{domain}_label"}
    return {"type": "CrossEntropyLoss", "inputs": inputs}


ADAPTS = {
    "DATASETS": {"TRAIN": {"train": None, "source": SOURCE, "target": {"type": "Unlabeled", "dataset": TARGET}}},
    "TRAINER": {"type": "DomainAdaptationTrainer"},
    "MEMORIES": {"memory": {"type": "HybridMemory", "temperature": 0.1, "momentum": 0.2}},
    "LOSSES": {"id": None, "triplet": None, **{domain: cross_entropy(domain) for domain in ("source", "target")}},
    "HOOKS": {"memory": {"type": "MemoryHook"}},
    "SOLVER": {"CHANNELS_LAST": False},
}


@pytest.fixture
def trainer(tmp_path):
    write_images(tmp_path)
    trainer = TRAINER.build(
        {"type": "DomainAdaptationTrainer"}, **tiny_arguments(tiny_config(tmp_path, ADAPTS), tmp_path)
    )
    trainer.parts.train()
    return trainer


def test_a_step_equals_the_equations(trainer):
    """Half a batch of either set, a memory of 6 classes and 24 images in 7 clusters, the last two images in none."""
    labels = torch.arange(24) // 4
    labels[20:] = torch.tensor([5, 6, -1, -1])
    trainer.relabel("target", labels)
    memory = trainer.memory
    rows = functional.normalize(torch.randn(30, trainer.model.embedding_dim))
    memory.initialise(rows[:6], rows[6:])
    batch, twin = next(trainer.loader.epoch(0)), copy.deepcopy(trainer.model)
    source, target = batch["source"], batch["target"]
    feat = functional.normalize(twin(torch.cat([source["img"], target["img"]]))["embedding"])
    classes = torch.cat([rows[:6], torch.stack([rows[6:][labels == label].mean(0) for label in range(7)])])
    scores = feat @ classes.t() / 0.1
    half = len(source["pid"])
    expected = {
        "source": functional.cross_entropy(scores[:half], source["pid"]),
        "target": functional.cross_entropy(scores[half:], 6 + labels[target["index"]]),
    }
    scalars = trainer.train_step(batch)
    assert {name: value.item() for name, value in scalars.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )
    sum(expected.values()).backward()
    for ours, theirs in zip(trainer.model.parameters(), twin.parameters(), strict=True):
        grad = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
        torch.testing.assert_close(ours.detach(), theirs.detach() - 0.01 * grad, rtol=1e-3, atol=1e-5)
    for row, value in zip(torch.cat([source["pid"], 6 + target["index"]]).tolist(), feat.detach()):
        rows[row] = functional.normalize(0.2 * rows[row] + 0.8 * value, dim=0)
    torch.testing.assert_close(memory.features, rows, rtol=1e-4, atol=1e-5)


def test_the_memory_begins_with_the_classes_means_and_the_targets_images_and_a_resumed_one_is_kept(trainer):
    trainer.call("before_train")
    found, features = trainer.memory.features.clone(), extract_train_features(trainer)
    pids = torch.from_numpy(trainer.sets["source"].pids)
    means = torch.stack([features[: len(pids)][pids == pid].mean(0) for pid in range(6)])
    torch.testing.assert_close(found, functional.normalize(torch.cat([means, features[len(pids) :]])))
    trainer.memory.features.zero_()
    trainer.iter = 3
    trainer.call("before_train")
    assert not trainer.memory.features.any()
