"""The view adaptation's plug-in, and its configurations made tiny."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.seed import seed_everything
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

PROJECT = Path(__file__).parents[3] / "projects" / "ViewAdaptation"
load_config(PROJECT / "base.yml")

NARROW = {"width": 8, "pretrained": ""}
TINY = {
    "INPUT": {"SIZE": [32, 32]},
    "BACKBONE": NARROW,
    "MODEL": {"gallery_backbone": NARROW},
    "SOLVER": {"IMS_PER_BATCH": 16, "MAX_EPOCHS": 3, "ITERS_PER_EPOCH": 4},
    "DEVICE": "cpu",
    "LOG": {"PERIOD": 1},
    "STAGES": {
        "finetune": {"SOLVER": {"MAX_EPOCHS": 2}},
        "similarity": {
            "SAMPLER": {"num_instances": 4},
            "DISCRIMINATORS": {"similarity": {"widths": [8, 12]}},
            "SOLVER": {"MAX_EPOCHS": 2},
            "HOOKS": {"early_stop": {"type": "EarlyStopHook", "patience": 3, "batches": 2}},
        },
        "adapt": {
            "SAMPLER": {"num_instances": 4},
            "DISCRIMINATORS": {"similarity": {"widths": [8, 12]}, "view": {"widths": [8]}},
            "SOLVER": {"MAX_EPOCHS": 3},
            "TRAINER": {"fit_batches": 2, "fit_steps": 3},
            "HOOKS": {"turns": {"steps": {"joint": 1}}},
        },
    },
}
"""An overlay over the project's files, for the tiny datasets, whose CUHK03 has four identities to train on."""


@pytest.fixture
def tiny_config(tiny_root, tmp_path):
    """Return a function that loads one of the project's files with ``TINY`` over it, and overrides over that."""

    def load(file="cuhk03.yml", above=None, **changes):
        opts = [text for key, value in changes.items() for text in (key, str(value))]
        overlay = {**TINY, "DATASETS": {"ROOT": str(tiny_root)}, "OUTPUT_DIR": str(tmp_path / "run")}
        return load_config(PROJECT / file, overlays=[overlay, *([above] if above else [])], opts=opts)

    return load


@pytest.fixture
def build(tiny_config, tmp_path):
    """Return a function that builds the trainer of a stage, without the weights of the stages before it."""

    def build(stage="adapt", file="cuhk03.yml", overlay=None, **changes):
        changes = {"STAGES.similarity.WEIGHTS.model": "null", **changes}
        changes = {
            **dict.fromkeys([f"STAGES.adapt.WEIGHTS.{part}" for part in ("model", "similarity")], "null"),
            **changes,
        }
        cfg = Pipeline(tiny_config(file, overlay, **changes)).stages[stage]
        seed_everything(cfg.SEED)
        sets = build_train_sets(cfg)
        trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path, device=torch.device("cpu"))
        trainer.parts.train()
        return trainer

    return build
