"""docs/design.md says which files decide a step, an evaluation and the loading of a model; here they are traced."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import reidzoo
from reidzoo.config import load_config, stage_configs
from reidzoo.engine.build import build_model, build_train_sets
from reidzoo.engine.evaluate import evaluate_targets
from reidzoo.registry import TRAINER

pytestmark = pytest.mark.slow

PACKAGE = Path(reidzoo.__file__).parent
PAGE = PACKAGE.parent / "docs" / "design.md"
MOST = {"a training step": 2, "an evaluation": 15, "how a model is loaded": 10}
"""What one reads at most, a dataset, a backbone and a head among it."""


def lists(topic: str) -> tuple[list[str], list[str]]:
    """Return the files to read, and the files and folders called from there."""
    (row,) = re.findall(rf"^\| {topic} \|(.*)\|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.M)
    read, called = (re.findall(r"`([^`]+)`", cell) for cell in row)
    return read, called


def entered(work: Callable[[], object]) -> set[str]:
    """Return the package's files of which a function is called in a second go, when caches are warm."""
    work()
    files: set[str] = set()

    def note(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and frame.f_code.co_name != "<module>" and path.is_relative_to(PACKAGE):
            files.add(path.relative_to(PACKAGE).as_posix())

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return files - {"__init__.py"}


@pytest.fixture
def cfg(write_config):
    return next(iter(stage_configs(load_config(write_config())).values()))


def step(cfg, tmp_path):
    data, device = build_train_sets(cfg), torch.device("cpu")
    trainer = TRAINER.build(cfg.TRAINER, cfg=cfg, sets=data, output_dir=tmp_path, device=device)
    batch = next(trainer.loader.epoch(0))
    return lambda: trainer.train_step(batch)


def evaluation(cfg, tmp_path):
    model = build_model(cfg, 4)
    return lambda: evaluate_targets(cfg, model, torch.device("cpu"))


def loading(cfg, tmp_path):
    return lambda: reidzoo.load("domainmix_mini")


CHOSEN = ("backbones/", "heads/", "losses/", "datasets/market", "models/batch_norm/")
"""Parts that the YAML names, and what theirs are made of."""


@pytest.mark.parametrize(
    ("topic", "work"), [("a training step", step), ("an evaluation", evaluation), ("how a model is loaded", loading)]
)
def test_no_other_file_decides(topic, work, cfg, tmp_path):
    read, called = lists(topic)
    named = [*read, *called]
    own = 3 if topic == "an evaluation" else 0  # the dataset's, the backbone's, the head's
    assert len(read) + own <= MOST[topic]
    assert [name for name in named if not (PACKAGE / name).exists()] == []
    unknown = [
        file
        for file in entered(work(cfg, tmp_path))
        if file not in named and not file.startswith((*CHOSEN, *(n for n in named if n.endswith("/"))))
    ]
    assert sorted(unknown) == []
