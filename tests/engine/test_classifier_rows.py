from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.classifier_rows import ClassifierRows
from reidzoo.errors import ConfigError
from reidzoo.heads import BranchClassifier
from reidzoo.registry import TRAINER

CLASSES = 12  # of the tiny Market-1501


@pytest.fixture
def trainer(write_config, tmp_path):
    cfg = load_config(write_config(DATASETS={"TRAIN": {"train": "Market1501"}}))
    arguments = {"cfg": cfg, "sets": build_train_sets(cfg), "output_dir": tmp_path, "device": torch.device("cpu")}
    trainer = TRAINER.build(cfg.TRAINER, **arguments)
    trainer.parts.train()
    trainer.optims["model"].scale_lr(1.0)
    for batch in trainer.loader.epoch(0):
        trainer.train_step(batch)
    return trainer


def moments(trainer):
    return trainer.optims["model"].torch.state[trainer.model.head.classifier.weight]


def change(trainer, classes, **options):
    """Relabel with ``classes`` classes of which the first 8 stay; return the old weight and moments."""
    old = trainer.model.head.classifier.weight.detach().clone()
    known = {key: value.clone() for key, value in moments(trainer).items()}
    rows = ClassifierRows(trainer)
    trainer.relabel("train", torch.arange(72) % classes)
    rows.restore(trainer, 8, **options)
    return old, known


@pytest.mark.parametrize("classes", [10, 12, 15])
def test_rows_that_stay_keep_weights_and_moments_and_others_start_anew(trainer, classes):
    old, known = change(trainer, classes)
    weight = trainer.model.head.classifier.weight
    assert weight.shape[0] == classes and torch.equal(weight[:8], old[:8])
    assert not torch.equal(weight[8:10], old[8:10]) and weight[8:].abs().max() < 0.01  # N(0, 0.001)
    assert torch.equal(moments(trainer)["step"], known["step"])
    for key in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(moments(trainer)[key][:8], known[key][:8]) and known[key][:8].abs().sum() > 0
        assert moments(trainer)[key].shape == weight.shape and moments(trainer)[key][8:].abs().sum() == 0


def test_means_are_normalised_and_stale_moments_can_stay(trainer):
    means = torch.randn(7, trainer.model.embedding_dim)
    _, known = change(trainer, 15, means=means, keep_moments=True)
    weight = trainer.model.head.classifier.weight
    torch.testing.assert_close(weight[8:], torch.nn.functional.normalize(means))
    for key in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(moments(trainer)[key][:CLASSES], known[key])
        assert moments(trainer)[key][CLASSES:].abs().sum() == 0


def test_training_goes_on(trainer):
    change(trainer, 10)
    before = trainer.model.head.classifier.weight.detach().clone()
    trainer.train_step(next(trainer.loader.epoch(1)))
    assert not torch.equal(before, trainer.model.head.classifier.weight)


def test_without_a_classifier_there_is_nothing_to_do(trainer):
    trainer.model.reset_classifier(0)
    rows = ClassifierRows(trainer)
    rows.restore(trainer, 0)
    trainer.model.reset_classifier(3)
    means = torch.eye(3, trainer.model.embedding_dim)
    rows.restore(trainer, 0, means)  # the first classes of all
    assert torch.equal(trainer.model.head.classifier.weight, means)


def test_a_classifier_of_several_parts_has_no_rows(trainer):
    trainer.model.head.classifier = BranchClassifier(64, CLASSES, 2)
    with pytest.raises(ConfigError, match="BNNeck's BranchClassifier has not"):
        ClassifierRows(trainer)
