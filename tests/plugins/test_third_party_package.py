"""A pip package of somebody else's adds a loss, a hook and a backbone; a YAML outside this repository uses them."""

from __future__ import annotations

import os
import subprocess
import sys

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "their-parts"
version = "1.0"
[tool.setuptools]
packages = ["their_parts"]
"""

CODE = """
import torch
from torch import nn
from torch.nn import functional as F
from reidzoo.hooks import Hook
from reidzoo.registry import BACKBONE, HOOK, LOSS


@LOSS.register_module()
class TheirCircleLoss(nn.Module):
    def __init__(self, margin=0.25, scale=64.0):
        super().__init__()
        self.margin, self.scale = margin, scale

    def forward(self, feat, pid):
        cosine = F.normalize(feat) @ F.normalize(feat).T
        same = pid[:, None] == pid[None]
        positive, negative = cosine[same.triu(1)], cosine[(~same).triu(1)]
        ap = (1 + self.margin - positive.detach()).clamp(min=0)
        an = (negative.detach() + self.margin).clamp(min=0)
        p = torch.logsumexp(-self.scale * ap * (positive - 1 + self.margin), 0)
        n = torch.logsumexp(self.scale * an * (negative - self.margin), 0)
        return F.softplus(p + n)


@BACKBONE.register_module()
class TwoConvolutions(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.out_channels = channels
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, 2, 1)
        )

    def forward(self, images):
        return self.layers(images)


@HOOK.register_module()
class CountHook(Hook):
    def __init__(self, file):
        self.file, self.steps = file, 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps += 1
        assert set(outputs) == {"circle"}

    def after_train(self, runner):
        with open(runner.output_dir / self.file, "w") as file:
            file.write(str(self.steps))
"""


def test_package_is_used_by_name_with_no_edit_here(write_config, run_tool, tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    (source / "their_parts").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "their_parts" / "__init__.py").write_text(CODE)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(site), str(source)], check=True, timeout=120)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = write_config(
        "elsewhere/theirs.yml",
        PLUGINS=["their_parts"],
        BACKBONE={"type": "TwoConvolutions", "channels": 6},
        LOSSES={"circle": {"type": "TheirCircleLoss", "margin": 0.3, "weight": 0.5}},
        HEAD={"type": "BNNeck"},
        HOOKS={"count": {"type": "CountHook", "file": "steps.txt"}},
    )
    run = run_tool("train_net.py", "--config-file", config, env={"PYTHONPATH": os.fspath(site)}, cwd=elsewhere)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "run" / "steps.txt").read_text() == "8"

    without = run_tool("train_net.py", "--config-file", config, cwd=elsewhere)
    assert without.returncode == 2
    assert "their_parts" in without.stderr
