"""ARN's plug-in, and its configurations made tiny."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs

PROJECT = Path(__file__).parents[3] / "projects" / "ARN"
load_config(PROJECT / "base.yml")  # so that tests can import ``arn``

TINY = {
    "INPUT": {"SIZE": [32, 16]},
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
    "DEVICE": "cpu",
    "LOG": {"PERIOD": 1},
    "STAGES": {
        "adapt": {
            "MODEL": {"features": 16, "width": 8, "kernels": [2, 1, 1], "strides": [1, 1, 1]},
            "SOLVER": {"IMS_PER_BATCH": 16, "ITERS_PER_EPOCH": 4, "MAX_EPOCHS": 3},
        }
    },
}
"""Maps of 2 x 1, four steps an epoch; an overlay over ARN's files."""


def stages(file, *overlays):
    """Return the stages of one of ARN's files with overlays of its folder over it."""
    return stage_configs(load_config(PROJECT / file, overlays=[PROJECT / overlay for overlay in overlays]))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def tiny_config(tiny_root, tmp_path):
    """Return a function that loads one of ARN's files with ``TINY`` over it, and overrides over that."""

    def load(file="duke_market.yml", **changes):
        overlay = {**TINY, "DATASETS": {"ROOT": str(tiny_root)}, "OUTPUT_DIR": str(tmp_path / "run")}
        return load_config(
            PROJECT / file, overlays=[overlay], opts=[str(item) for pair in changes.items() for item in pair]
        )

    return load
