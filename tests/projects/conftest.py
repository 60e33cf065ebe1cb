"""What the tests of several papers share."""

from __future__ import annotations

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.seed import seed_everything
from reidzoo.registry import TRAINER
from reidzoo.runs.dry_run import DryRun
from reidzoo.runs.pipeline import Pipeline


@pytest.fixture
def build(tiny_config, tmp_path):
    """Return a function that builds the trainer of ``tiny_config``'s only stage."""

    def build(*file, **changes):
        (cfg,) = Pipeline(tiny_config(*file, **changes)).stages.values()
        seed_everything(cfg.SEED)
        sets = build_train_sets(cfg)
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path, device=torch.device("cpu"))
        trainer.parts.train()
        return trainer

    return build


@pytest.fixture
def dry_run(tiny_root, tmp_path):
    """Return a function that tries out a file on tiny data, where nothing may be found wrong; it returns the stages."""

    def dry_run(file, *overrides):
        small = ["DATASETS.ROOT", str(tiny_root), "OUTPUT_DIR", str(tmp_path / "run"), "DEVICE", "cpu"]
        small += ["INPUT.SIZE", "[64, 32]", "SOLVER.IMS_PER_BATCH", "16", "SOLVER.ITERS_PER_EPOCH", "1"]
        pipeline = Pipeline(load_config(file, opts=[*overrides, *small, "DATALOADER.CACHE", "off"]))
        tried = DryRun(pipeline.stages, pipeline.folder.stages, torch.device("cpu")).run()
        assert tried.findings.texts() == []
        return pipeline.stages

    return dry_run
