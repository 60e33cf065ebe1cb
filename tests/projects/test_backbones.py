"""Every project's method takes a step of each of its phases on a vision transformer, and on a MobileNet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config
from reidzoo.runs.dry_run import DryRun
from reidzoo.runs.pipeline import Pipeline
from reidzoo.trainers import Trainer

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parent.parent.parent / "projects"
VIT = "{_REPLACE_: true, type: TimmBackbone, name: test_vit, output: %s, options: {depth: 2, patch_size: 8}}"
BACKBONES = {
    "ViT": VIT % "map",
    "class token": VIT % "token",
    "MobileNet": "{_REPLACE_: true, type: TorchvisionBackbone, name: mobilenet_v3_small, options: {width_mult: 0.25}}",
}
METHODS = ("SpCL", "MMT", "ECN", "ADIN", "ARN", "DomainMix")
MAPS_ONLY = ("ARN",)
"""Their method is about a map's places, and a class token has one alone."""
CASES = [(m, b) for m in METHODS for b in BACKBONES if not (m in MAPS_ONLY and b == "class token")]


@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_a_step_of_each_phase(method, backbone, tiny_root, tmp_path, monkeypatch):
    if "Timm" in BACKBONES[backbone]:
        pytest.importorskip("timm")
    phases, step = set(), Trainer.train_step

    def checked_step(trainer, batch):
        learnt = [p for key, p in trainer.parts.named_parameters() if "backbone." in key and p.requires_grad]
        before = [parameter.detach().clone() for parameter in learnt]
        scalars = step(trainer, batch)
        assert all(value.isfinite().all() for value in scalars.values())
        phases.add((trainer.phase, any(not torch.equal(a, b) for a, b in zip(before, learnt))))
        return scalars

    monkeypatch.setattr(Trainer, "train_step", checked_step)
    overrides = ["BACKBONE", BACKBONES[backbone]]  # the one override; the others make it small
    overrides += ["DATASETS.ROOT", str(tiny_root), "OUTPUT_DIR", str(tmp_path), "DEVICE", "cpu"]
    overrides += ["INPUT.SIZE", "[64, 32]", "SOLVER.IMS_PER_BATCH", "16", "SOLVER.ITERS_PER_EPOCH", "1"]
    overrides += ["DATALOADER.CACHE", "off"]
    pipeline = Pipeline(load_config(PROJECTS / method / "mini.yml", opts=overrides))
    assert all(cfg.BACKBONE.type in BACKBONES[backbone] for cfg in pipeline.stages.values())
    dry_run = DryRun(pipeline.stages, pipeline.folder.stages, torch.device("cpu")).run()
    assert dry_run.findings.texts() == []
    assert any(moved for _, moved in phases)
