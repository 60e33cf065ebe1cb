"""Every project's method takes a step of each of its phases on a vision transformer, and on a MobileNet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.trainers import Trainer

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parent.parent.parent / "projects"
VIT = "{_REPLACE_: true, type: TimmBackbone, name: test_vit, output: %s, options: {depth: 2, patch_size: 8}}"
BACKBONES = {
    "ViT": VIT % "map",
    "class token": VIT % "token",
    "MobileNet": "{_REPLACE_: true, type: TorchvisionBackbone, name: mobilenet_v3_small, options: {width_mult: 0.25}}",
}
METHODS = {
    **{method: {"model": True} for method in ("SpCL", "MMT", "ECN", "ARN")},
    "ADIN": {"model": True, "penalty": True, "nuisance": False, "head": False},
    "DomainMix": {"model": True, "discriminator": False},
}
"""Method -> the phases that its file gives a turn, and whether they train the backbone, as the trainer's text says."""
MAPS_ONLY = ("ARN",)
"""Their method is about a map's places, and a class token has one alone."""
CASES = [(m, b) for m in METHODS for b in BACKBONES if not (m in MAPS_ONLY and b == "class token")]


@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_a_step_of_each_phase(method, backbone, dry_run, monkeypatch):
    if "Timm" in BACKBONES[backbone]:
        pytest.importorskip("timm")
    phases, step = set(), Trainer.train_step

    def checked_step(trainer, batch):
        learnt = [(key, p) for key, p in trainer.parts.named_parameters() if "backbone." in key and p.requires_grad]
        before = [parameter.detach().clone() for _, parameter in learnt]
        scalars = step(trainer, batch)
        assert all(value.isfinite().all() for value in scalars.values())
        moved = {key.partition("backbone.")[0] for (key, p), old in zip(learnt, before) if not torch.equal(p, old)}
        assert moved in (set(), {key.partition("backbone.")[0] for key, _ in learnt})  # of MMT's two neither or both
        phases.add((trainer.phase, bool(moved)))
        return scalars

    monkeypatch.setattr(Trainer, "train_step", checked_step)
    stages = dry_run(PROJECTS / method / "mini.yml", "BACKBONE", BACKBONES[backbone])
    assert all(cfg.BACKBONE.type in BACKBONES[backbone] for cfg in stages.values())
    assert phases == set(METHODS[method].items())
