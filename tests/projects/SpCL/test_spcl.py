"""SpCL as a project: adaptation is DomainMix's stage 1; training without a source needs none, and resumes exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_train_sets
from reidzoo.errors import ConfigError
from reidzoo.models import DomainBatchNorm
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parents[3] / "projects"
SMALL = {
    "INPUT.SIZE": "[32, 16]",
    "INPUT.TRANSFORMS.crop.pad": 2,
    "BACKBONE": "{type: ResNet, depth: 18, width: 4, last_stride: 1, pretrained: ''}",
    "MODEL.BN_GROUP": 8,
    "SOLVER.IMS_PER_BATCH": 16,
    "SOLVER.ITERS_PER_EPOCH": 4,
    "SOLVER.MAX_EPOCHS": 2,
    "LOG.PERIOD": 2,
    "DEVICE": "cpu",
    "CLUSTERER": "{type: SelfPacedDBSCAN, k1: 8, k2: 3, eps: 0.7, min_samples: 2}",
}


@pytest.fixture
def small_config(tiny_root, tmp_path):
    def config(file, name="run", **overrides):
        changes = {**SMALL, "DATASETS.ROOT": tiny_root, "OUTPUT_DIR": tmp_path / name, **overrides}
        return load_config(PROJECTS / "SpCL" / file, opts=[str(item) for pair in changes.items() for item in pair])

    return config


def trainer_of(cfg, folder):
    (cfg,) = Pipeline(cfg).stages.values()
    return TRAINER.build(
        cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=torch.device("cpu")
    )


def test_adaptation_is_the_first_stage_of_domainmix():
    """Whatever the stage computes with is the same; what it tests and writes down is DomainMix's own."""
    ours = stage_configs(load_config(PROJECTS / "SpCL/randperson_msmt.yml"))["spcl"]
    theirs = stage_configs(load_config(PROJECTS / "DomainMix/rp_msmt.yml"))["label"]
    keys = [
        "MODEL",
        "BACKBONE",
        "INPUT",
        "SAMPLER",
        "TRAINER",
        "MEMORIES",
        "CLUSTERER",
        "LOSSES",
        "OPTIMIZERS",
        "SOLVER",
    ]
    for key in keys:
        assert ours[key] == theirs[key], key
    assert {name: ours.HOOKS[name] for name in ("schedule", "memory", "cluster")} == {
        name: theirs.HOOKS[name] for name in ("schedule", "memory", "cluster")
    }


def test_without_a_source_the_memory_is_the_target(small_config, tmp_path):
    trainer = trainer_of(small_config("market_usl.yml"), tmp_path)
    assert list(trainer.sets) == ["target"] and (trainer.sets["target"].pids == -1).all()
    assert not any(isinstance(module, DomainBatchNorm) for module in trainer.model.modules())
    trainer.call("before_train")
    memory = trainer.parts["memory"]
    assert (memory.num_source, memory.num_target) == (0, 72)
    torch.testing.assert_close(memory.features.norm(dim=1), torch.ones(72))
    trainer.parts.train()
    trainer.call("before_train_epoch")
    assert trainer.sets["target"].pids.min() == 0 and memory.num_classes == trainer.sets["target"].num_classes

    batch = next(trainer.loader.epoch(0))
    before, weights = memory.features.clone(), trainer.model.backbone.conv1.weight.detach().clone()
    feat = torch.nn.functional.normalize(trainer.model(batch["img"])["embedding"])
    scores = torch.stack([feat @ before[memory.labels == k].mean(0) for k in range(memory.num_classes)], 1) / 0.05
    expected = torch.nn.functional.cross_entropy(scores, batch["pid"]).item()
    scalars = trainer.train_step(batch)
    assert set(scalars) == {"target"} and scalars["target"].item() == pytest.approx(expected, rel=1e-4)
    assert not torch.equal(weights, trainer.model.backbone.conv1.weight)
    moved = (memory.features != before).any(1).nonzero().flatten()
    assert set(moved.tolist()) == set(batch["index"].tolist())


@pytest.mark.parametrize("file", ["market_duke.yml", "market_usl.yml"])
def test_images_of_no_cluster_can_be_left_out(small_config, tmp_path, file, monkeypatch):
    cfg = small_config(file, **{"HOOKS.cluster.outliers": "drop", "HOOKS.cluster.features": "model"})
    trainer = trainer_of(cfg, tmp_path)
    count = len(trainer.sets["target"])
    labels = torch.arange(count).numpy() // 4
    labels[-12:] = -1
    monkeypatch.setattr(trainer.clusterer, "fit_predict", lambda features: labels)
    trainer.call("before_train")
    trainer.parts.train()
    trainer.call("before_train_epoch")
    memory = trainer.parts["memory"]
    assert memory.num_classes == memory.num_source + count // 4 - 3
    for batch in trainer.loader.epoch(0):
        target = batch.get("target", batch)
        assert target["index"].max() < count - 12  # they are in no batch,
        assert torch.isfinite(trainer.train_step(batch)["target"])
    assert (memory.labels[-12:] == -1).all()  # and in no class


def test_the_neck_s_bias_is_learnt_where_one_asks_for_it(small_config, tmp_path):
    """The authors' conversion makes the neck anew, and so its bias trainable, of each domain."""
    for frozen in (True, False):
        override = {"HEAD.bias_frozen": str(frozen).lower()}
        trainer = trainer_of(small_config("market_duke.yml", **override), tmp_path)
        biases = [norm.bias for norm in trainer.model.head.bn.domains]
        assert [bias.requires_grad for bias in biases] == [not frozen] * 2
        trained = {id(p) for p in trainer.optims["model"].parameters}
        assert all((id(bias) in trained) == (not frozen) for bias in biases)


def test_other_sets_are_a_mistake(small_config, tmp_path):
    sets = "{_REPLACE_: true, target: {type: Unlabeled, dataset: {type: DukeMTMC}}, source: Market1501}"
    with pytest.raises(ConfigError, match="in this order"):
        trainer_of(small_config("market_duke.yml", **{"DATASETS.TRAIN": sets}), tmp_path)


@pytest.mark.parametrize("file", ["market_duke.yml", "market_usl.yml"])
def test_a_run_that_dies_in_the_middle_of_an_epoch_ends_as_one_that_did_not(small_config, resumes_bit_for_bit, file):
    def config(name):
        return small_config(file, name, **{"SOLVER.CHECKPOINT_ITERS": 3})

    resumes_bit_for_bit(config, "spcl", at=7, saved=(1, 2))
