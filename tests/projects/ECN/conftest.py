"""ECN's plug-in, and its configurations made tiny."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidzoo.config import load_config

PROJECT = Path(__file__).parents[3] / "projects" / "ECN"
TINY = {
    "INPUT": {"SIZE": [32, 16]},
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 4, "last_stride": 1, "pretrained": ""},
    "HEAD": {"features": 16},
    "DEVICE": "cpu",
    "LOG": {"PERIOD": 1},
    "SOLVER": {"IMS_PER_BATCH": 24, "MAX_EPOCHS": 3},
    "STAGES": {"adapt": {"MEMORIES": {"exemplar": {"neighbours_from": 1}}, "HOOKS": {"schedule": {"milestones": [2]}}}},
}
"""Three steps an epoch on the tiny datasets, whose training sets have 72 images each; an overlay over ECN's files."""


@pytest.fixture
def tiny_config(tiny_root, tmp_path):
    """Return a function that loads one of ECN's files with ``TINY`` over it, and overrides over that."""

    def load(file="duke_market.yml", **changes):
        opts = [text for key, value in changes.items() for text in (key, str(value))]
        overlay = {**TINY, "DATASETS": {"ROOT": str(tiny_root)}, "OUTPUT_DIR": str(tmp_path / "run")}
        return load_config(PROJECT / file, overlays=[overlay], opts=opts)

    return load


@pytest.fixture
def ecn(tiny_config):
    """The plug-in."""
    tiny_config()
    import ecn

    return ecn
