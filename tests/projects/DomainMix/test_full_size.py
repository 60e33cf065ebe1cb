"""One training step of every stage at the paper's size: ResNet-50, 256 x 128 pixels, 16 identities x 4 images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from yacs.config import CfgNode

from reidzoo.config import load_config
from reidzoo.datasets import build_dataset, write_pseudo_labels
from reidzoo.engine.build import build_train_sets
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

from ...conftest import make_tiny_datasets

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Trees with enough identities for a batch of each set."""
    return make_tiny_datasets(tmp_path_factory.mktemp("wide"), ids=17, images=4)


@pytest.mark.parametrize("stage", ["label", "backbone", "alternate"])
def test_a_step_at_full_size(stage, root, tmp_path):
    opts = ["DATASETS.ROOT", str(root), "OUTPUT_DIR", str(tmp_path), "DEVICE", "cpu", "BACKBONE.pretrained", ""]
    opts += ["SOLVER.PRECISION", "bf16", "SOLVER.ITERS_PER_EPOCH", "1", "DATALOADER.CACHE", "off"]
    cfg = Pipeline(load_config(REPOSITORY / "projects/DomainMix/rp_msmt.yml", opts=opts)).stages[stage].clone()
    cfg.defrost()
    cfg.WEIGHTS = CfgNode()  # of stages that did not run
    dataset = build_dataset("MSMT17", root=root)
    labels = np.arange(len(dataset.train)) // 4
    write_pseudo_labels(tmp_path / "label/pseudo_labels.csv", dataset.train, labels, dataset.folder)
    sets = build_train_sets(cfg)
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path / stage, device=torch.device("cpu"))
    if stage == "label":
        memory = trainer.parts["memory"]
        features = torch.nn.functional.normalize(torch.randn(memory.features.shape))
        memory.initialise(features[: memory.num_source], features[memory.num_source :])
        trainer.relabel("target", torch.from_numpy(labels))
    trainer.parts.train()
    (batch,) = trainer.loader.epoch(0)
    for given in batch.values() if stage == "label" else [batch]:
        assert given["img"].shape == (64, 3, 256, 128)
        assert torch.unique(given["pid"], return_counts=True)[1].tolist() == [4] * 16
    for phase in ("discriminator", "model") if stage == "alternate" else ("model",):
        trainer.phase = phase
        before = {name: part.detach().clone() for name, part in trainer.parts[phase].named_parameters()}
        scalars = trainer.train_step(batch)
        assert scalars and all(torch.isfinite(value) for value in scalars.values()), scalars
        still = [n for n, p in trainer.parts[phase].named_parameters() if p.requires_grad and torch.equal(p, before[n])]
        assert not still, still
