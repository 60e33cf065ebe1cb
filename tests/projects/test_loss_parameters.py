"""A loss's parameters find an optimizer, and are moved by it, with the trainers of all projects."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidzoo.config import load_config, stage_configs
from reidzoo.losses import LossSet
from reidzoo.registry import LOSS
from reidzoo.trainers import Trainer

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parent.parent.parent / "projects"
JOINT = ["ADIN/duke_market_joint.yml", "ADIN/small_joint.yml"]
FILES = [str(path.relative_to(PROJECTS)) for path in sorted(PROJECTS.glob("*/mini.yml"))]


class Learner(torch.nn.Module):
    """Has a parameter, and takes any tensor."""

    def __init__(self):
        super().__init__()
        self.factor, self.calls = torch.nn.Parameter(torch.ones(())), 0

    def forward(self, value):
        self.calls += 1
        return self.factor * value.float().cos().mean()


def with_learners(cfg):
    """Return the overrides that add a Learner to each phase of each stage that has a loss."""
    overrides, phases = [], set()
    for stage, stage_cfg in stage_configs(cfg).items():
        for name, node in stage_cfg.LOSSES.items():
            phase, taken = node.get("phase", "model"), LossSet({name: node}, given={"num_classes": 2, "dim": 2}).needs
            node = f"{{type: Learner, phase: {phase}, inputs: {{value: {min(taken)}}}}}"
            place = f"STAGES.{stage}.LOSSES" if cfg.STAGES else "LOSSES"
            overrides += [f"{place}.learner_{phase}", node]
            phases.add(phase)
    return overrides, phases


@pytest.mark.parametrize("files", [[file] for file in FILES] + [JOINT], ids=lambda files: files[0])
def test_every_phase_moves_them(files, dry_run, tmp_path, monkeypatch):
    moved, step = set(), Trainer.train_step

    def checked_step(trainer, batch):
        learners = [(phase, losses.losses[f"learner_{phase}"]) for phase, losses in trainer.losses.items()]
        before = [(learner.calls, learner.factor.item()) for _, learner in learners]
        scalars = step(trainer, batch)
        for (phase, learner), (calls, factor) in zip(learners, before):
            assert (learner.factor.item() != factor) == (learner.calls > calls), phase
            moved.update({phase} if learner.calls > calls else ())
        return scalars

    monkeypatch.setitem(LOSS._module_dict, "Learner", Learner)
    monkeypatch.setattr(Trainer, "train_step", checked_step)
    config = tmp_path / "with_learners.yml"
    config.write_text(f"_BASE_: [{', '.join(str(PROJECTS / file) for file in files)}]\n")
    overrides, phases = with_learners(load_config(config))
    dry_run(config, *overrides)
    assert moved == phases
