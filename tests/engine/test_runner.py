"""Every trainer is a ``Runner``, and hooks use nothing else of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import reidzoo.hooks
from reidzoo.config import load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.runner import Runner
from reidzoo.trainers import BaselineTrainer

MEMBERS = {name for name in {**Runner.__annotations__, **vars(Runner)} if not name.startswith("_")}
HOOKS = sorted(Path(reidzoo.hooks.__file__).parent.glob("*.py"))


@pytest.fixture
def trainer(write_config, tmp_path):
    cfg = load_config(write_config())
    return BaselineTrainer(cfg, build_train_sets(cfg), tmp_path, torch.device("cpu"))


def test_a_trainer_has_every_member(trainer):
    assert isinstance(trainer, Runner)
    del trainer.metrics
    assert not isinstance(trainer, Runner)


def test_every_attribute_is_described():
    for name in Runner.__annotations__:
        assert f" {name}: " in Runner.__doc__ or f" {name}, " in Runner.__doc__ or f", {name}" in Runner.__doc__, name


OFFERED = {"early_stop": {"validation_loss"}, "alternation": {"validator"}}
"""Hook -> what a trainer may offer beside the members; the hook asks first whether it does."""


@pytest.mark.parametrize("path", HOOKS, ids=lambda path: path.stem)
def test_hooks_touch_nothing_else(path):
    attributes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    touched = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "runner"}
    assert touched <= MEMBERS | OFFERED.get(path.stem, set())
