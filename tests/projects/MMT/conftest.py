"""Loads the project's plug-in, so that its tests can import ``mmt``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config

PROJECT = Path(__file__).parents[3] / "projects" / "MMT"
load_config(PROJECT / "base.yml")

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
    "STAGES.mmt.CLUSTERER.num_clusters": 9,
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def small_config(tiny_root, tmp_path):
    """Return a function that loads ``market_duke.yml`` so small that it trains in seconds; keywords are overrides."""

    def config(name="run", file="market_duke.yml", **overrides):
        changes = {**SMALL, "DATASETS.ROOT": tiny_root, "OUTPUT_DIR": tmp_path / name, **overrides}
        return load_config(PROJECT / file, opts=[str(item) for pair in changes.items() for item in pair])

    return config
