from __future__ import annotations

import os
from pathlib import Path

import pytest

from reidzoo.config import load_config

PROJECT = Path(__file__).parents[3] / "projects" / "ADIN"
SMALLER = [
    "INPUT.SIZE", "[36, 18]", "INPUT.TRANSFORMS.crop.size", "[32, 16]", "BACKBONE.width", "4", "HEAD.width", "8",
    "SOLVER.IMS_PER_BATCH", "16", "DEVICE", "cpu", "TEST.IMS_PER_BATCH", "64",
    "DATASETS.TRAIN.train.per_identity", "1",
    "STAGES.identity.SOLVER.MAX_EPOCHS", "2", "STAGES.nuisance.SOLVER.MAX_EPOCHS", "2",
]  # fmt: skip
TURNS = [
    "STAGES.adversarial.HOOKS.alternation.epochs", "{model: 1, nuisance: 1, head: 0.5}",
    "STAGES.adversarial.HOOKS.alternation.rule.max_rounds", "4",
]  # fmt: skip

PENALTY = ["STAGES.adversarial.HOOKS.alternation.steps", "{penalty: 2}"]


@pytest.fixture
def project() -> Path:
    """Return the project's folder; its plug-in is imported."""
    load_config(PROJECT / "mini.yml")
    return PROJECT


@pytest.fixture
def tiny(project, tiny_root, tmp_path):
    """Return a function that loads a file of the project with overrides, so small that it runs in a second."""

    def load(
        *opts: object,
        file: str = "mini.yml",
        overlay: str = "",
        name: str = "run",
        alternates: bool = True,
        steps: bool = True,
    ) -> object:
        folder = ["DATASETS.ROOT", os.fspath(tiny_root), "OUTPUT_DIR", os.fspath(tmp_path / name)]
        turns = [*TURNS, *(PENALTY if steps else [])] if alternates else []
        overlays = [project / overlay] if overlay else []
        return load_config(project / file, [*SMALLER, *turns, *folder, *map(str, opts)], overlays)

    return load
