"""What is logged of N's choices, and the neighbours by tested features."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from reidzoo.clustering import nearest_by_cosine
from reidzoo.datasets import Market1501
from reidzoo.engine.evaluate import extract_train_features
from reidzoo.errors import ConfigError
from reidzoo.runs.pipeline import Pipeline

TESTED = {
    "STAGES.adapt.MEMORIES.exemplar.neighbours_by": "tested",
    "STAGES.adapt.HOOKS.neighbours": "{type: NeighbourHook}",
}


def identities(trainer):
    truth = {record.path: record.pid for record in Market1501(root=trainer.cfg.DATASETS.ROOT).train}
    return [truth[path] for path in trainer.sets["target"].paths]


def counted(trainer):
    """Return precision and share of rows with themselves by hand, of the last step's choices."""
    pids, right, others, own = identities(trainer), 0, 0, 0
    for anchor, chosen in zip(trainer.anchors.tolist(), trainer.nearest.tolist()):
        own += anchor in chosen
        right += sum(pids[image] == pids[anchor] for image in chosen if image != anchor)
        others += sum(image != anchor for image in chosen)
    return right / others, own / len(trainer.anchors)


@pytest.mark.parametrize("file", ["duke_market.yml", "mini_batch.yml"])
def test_figures_by_hand(build, file):
    trainer = build(file)
    hook = trainer.hooks["log_neighbours"]
    assert all(pid == -1 for pid in trainer.sets["target"].pids.tolist())  # what trains does not see them
    hook.before_train(trainer)
    if "neighbours" in trainer.hooks:
        trainer.epoch = 1
        trainer.hooks["neighbours"].before_train_epoch(trainer)
    for epoch in (0, 1):
        trainer.epoch = epoch
        batch = next(trainer.loader.epoch(1))
        scalars = trainer.train_step(batch)
        hook.after_train_iter(trainer, 0, batch, scalars)
        if epoch == 0 and file == "duke_market.yml":
            assert set(scalars) == {"id", "invariance"}  # no neighbours yet
    precision, own = counted(trainer)
    assert scalars["neighbours/precision"].item() == pytest.approx(precision)
    assert scalars["neighbours/self"].item() == pytest.approx(own)


def test_they_are_in_the_log_and_a_source_alone_logs_none(tiny_config, tmp_path):
    Pipeline(tiny_config()).train()
    rows = [json.loads(line) for line in (tmp_path / "run/adapt/metrics.jsonl").read_text().splitlines()]
    epochs = {row["epoch"] for row in rows if "neighbours/precision" in row}
    assert epochs == {1, 2} and all("neighbours/self" in row for row in rows if "neighbours/precision" in row)
    alone = {"target": "DATASETS.TRAIN", "exemplar": "MEMORIES", "invariance": "LOSSES"}
    changes = {f"STAGES.adapt.{place}.{name}": "null" for name, place in alone.items()}
    Pipeline(tiny_config(OUTPUT_DIR=tmp_path / "alone", **changes)).train()
    assert "neighbours" not in (tmp_path / "alone/adapt/metrics.jsonl").read_text()


def test_a_target_of_which_one_image_has_no_identity_logs_how_often_an_image_is_its_own(build, monkeypatch):
    trainer = build()
    hook = trainer.hooks["log_neighbours"]
    monkeypatch.setattr("ecn.neighbour_log_hook.true_identities", lambda data: np.arange(len(data)) - 1)
    hook.before_train(trainer)
    trainer.epoch = 1
    batch = next(trainer.loader.epoch(1))
    scalars = trainer.train_step(batch)
    hook.after_train_iter(trainer, 0, batch, scalars)
    assert set(scalars) == {"id", "invariance", "neighbours/self"}


def test_neighbours_by_tested_features(build):
    trainer = build(**TESTED)
    hook, memory = trainer.hooks["neighbours"], trainer.parts["exemplar"]
    hook.before_train(trainer)
    hook.before_train_epoch(trainer)
    assert (memory.neighbours_of == -1).all()  # epoch 0 has none
    trainer.epoch = 1
    hook.before_train_epoch(trainer)
    near, _ = nearest_by_cosine(extract_train_features(trainer, "target"), 6)
    assert torch.equal(memory.neighbours_of, near)
    batch = next(trainer.loader.epoch(1))
    assert set(trainer.train_step(batch)) == {"id", "invariance"}
    assert torch.equal(trainer.nearest, near[batch["target"]["index"]])


def test_tested_neighbours_that_nobody_finds_are_refused(build):
    with pytest.raises(ConfigError, match="neighbours_by: tested needs somebody to find them"):
        build(**{key: value for key, value in TESTED.items() if "MEMORIES" in key})
