"""What the tests of several papers share."""

from __future__ import annotations

import pytest
import torch

from reidzoo.engine.build import build_train_sets
from reidzoo.engine.seed import seed_everything
from reidzoo.registry import TRAINER
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
