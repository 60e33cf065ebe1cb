"""Parameters of losses find an optimizer, are moved by it, and are there again after a resume."""

from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.loss_parameters import place_loss_parameters
from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet
from reidzoo.registry import LOSS, TRAINER

CENTER = {"type": "LearntCenterLoss", "num_classes": 4, "dim": 3}
PLACE = "losses.model.losses.center"


def placed(nodes, optimizers_of=None, phase="model"):
    phases = {phase: LossSet({"id": {"type": "CrossEntropyLoss"}, "center": CENTER})}
    return place_loss_parameters(nodes, phases, optimizers_of or {})


def test_the_optimizer_of_the_phase_moves_them():
    assert placed({"model": {"lr": 1}}) == ({"model": {"lr": 1, "params": ["model", PLACE]}}, {})
    nodes, along = placed({"net": {"params": ["student"]}}, {"other": ["other", "net"]}, phase="other")
    assert nodes["net"]["params"] == ["student", PLACE.replace("model", "other")] and not along


def test_one_of_the_losss_name_goes_along():
    nodes, along = placed({"model": {"lr": 1}, "center": {"lr": 5}})
    assert nodes == {"model": {"lr": 1}, "center": {"lr": 5, "params": [PLACE]}} and along == {"center": "model"}


@pytest.mark.parametrize("prefix", ["losses", PLACE, f"{PLACE}.centers"])
def test_one_that_names_them_has_them(prefix):
    nodes = {"model": {"params": ["model", prefix]}}
    assert placed(nodes) == (nodes, {})


def test_a_name_in_two_phases():
    phases = {phase: LossSet({"center": CENTER}) for phase in ("model", "other")}
    with pytest.raises(ConfigError, match="two phases"):
        place_loss_parameters({"model": {}, "other": {}, "center": {}}, phases, {})


def test_one_that_would_go_along_with_none():
    with pytest.raises(ConfigError, match=r"OPTIMIZERS.center.*none for phase 'model'"):
        placed({"net": {"lr": 1}, "center": {"lr": 5}})


def trainer_of(config, folder):
    (cfg,) = stage_configs(load_config(config)).values()
    folder.mkdir(exist_ok=True)
    given = {"sets": build_train_sets(cfg), "output_dir": folder, "device": torch.device("cpu")}
    return TRAINER.build(cfg.TRAINER, cfg=cfg, **given)


LOSSES = {
    "center": {"type": "LearntCenterLoss", "weight": 1e-3},
    "arc": {"type": "pytorch_metric_learning.losses.ArcFaceLoss", "weight": 0.1},
}
OPTIMIZERS = {"center": {"type": "SGD", "lr": 100.0}}


@pytest.mark.slow
def test_a_step_moves_them_as_torchs_own_optimizers_do(write_config, tmp_path):
    """A loss of pytorch-metric-learning has its sizes and its tensors without a word in the configuration."""
    pytest.importorskip("pytorch_metric_learning")
    trainer = trainer_of(write_config(LOSSES=LOSSES, OPTIMIZERS=OPTIMIZERS), tmp_path / "run")
    losses = trainer.losses["model"].losses
    assert losses["arc"].W.shape == (trainer.model.embedding_dim, trainer.num_classes)
    batch = next(iter(trainer.loader.epoch(0, 0)))
    before = losses["center"].centers.detach().clone(), losses["arc"].W.detach().clone()
    trainer.parts.train()
    feat = trainer.model(batch["img"])["feat"].detach()
    trainer.step_model(batch)
    differences = torch.zeros_like(before[0])
    for row, pid in zip(feat, batch["pid"].tolist()):
        differences[pid] += before[0][pid] - row
    wanted = before[0] - 100.0 * 1e-3 * 2 * differences / len(feat)
    torch.testing.assert_close(losses["center"].centers.detach(), wanted, rtol=1e-4, atol=1e-5)
    assert not torch.equal(losses["arc"].W, before[1])
    assert any(losses["arc"].W is parameter for parameter in trainer.optims["model"].parameters)


@pytest.mark.slow
def test_a_run_that_dies_ends_as_one_that_did_not(write_config, tmp_path, resumes_bit_for_bit):
    pytest.importorskip("pytorch_metric_learning")
    memory = {"type": "CrossBatchMemoryLoss", "loss": {"type": "ContrastiveLoss"}, "size": 40}

    def config(name):
        file = write_config(
            LOSSES={**LOSSES, "xbm": memory}, OPTIMIZERS=OPTIMIZERS, STAGES={"only": {}},
            OUTPUT_DIR=str(tmp_path / name),
            SOLVER={"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 2, "CHECKPOINT_ITERS": 3},
        )  # fmt: skip
        return load_config(file)

    resumes_bit_for_bit(config, "only", at=7, saved=(1, 2))


def test_pseudo_labels_renew_them(write_config, tmp_path):
    trainer = trainer_of(write_config(LOSSES={"center": LOSSES["center"]}, OPTIMIZERS=OPTIMIZERS), tmp_path / "run")
    labels = torch.arange(len(trainer.sets["train"])) % 5
    trainer.relabel("train", labels)
    (moved,) = trainer.optims["center"].parameters
    assert moved is trainer.losses["model"].losses["center"].centers and len(moved) == 5
    trainer.parts.train()
    trainer.step_model(next(iter(trainer.loader.epoch(0, 0))))


class Fixed(torch.nn.Module):
    """Has weights of each class, and cannot have others."""

    def __init__(self, num_classes=3, feat_dim=2):
        super().__init__()
        self.num_classes, self.weight = num_classes, torch.nn.Parameter(torch.zeros(num_classes, feat_dim))

    def forward(self, embeddings, labels=None):
        return (embeddings - self.weight[labels]).square().mean()


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setitem(LOSS._module_dict, "Fixed", Fixed)


def test_sizes_are_given_where_a_constructor_has_them(fixed):
    losses = LossSet(
        {"a": {"type": "Fixed"}, "b": {"type": "Fixed", "feat_dim": 6}}, given={"num_classes": 7, "dim": 4}
    )
    assert [tuple(loss.weight.shape) for loss in losses.losses.values()] == [(7, 4), (7, 6)]
    tensors = {"feat": torch.zeros(2, 4), "pid": torch.tensor([0, 6])}
    assert LossSet({"a": {"type": "Fixed"}}, given={"num_classes": 7, "dim": 4})(tensors)["a"] == 0


def test_classes_that_cannot_change(fixed):
    with pytest.raises(ConfigError, match=r"'a': Fixed has weights of each class.*reset_classes"):
        LossSet({"a": {"type": "Fixed"}}, given={"num_classes": 0, "dim": 4})
    losses = LossSet({"a": {"type": "Fixed"}}, given={"num_classes": 7, "dim": 4})
    losses.reset_classes(7)
    with pytest.raises(ConfigError, match="has 7 classes, and the pseudo labels 5"):
        losses.reset_classes(5)


def test_a_package_that_is_not_there():
    with pytest.raises(ConfigError, match="There is no package no_such_losses here"):
        LossSet({"a": {"type": "no_such_losses.losses.ArcFaceLoss"}})
